"""Data: parallel pairs to train on, benchmarks to measure on."""

import lazy_loader

# the public names are in __init__.pyi; each is imported on first use
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
