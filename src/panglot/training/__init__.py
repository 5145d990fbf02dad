"""Training: the objective, the trainer, the settings of a run."""

import lazy_loader

# the public names are in __init__.pyi; each is imported on first use, so that a command that needs no
# model, or whose input is wrong, does not wait for torch
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
