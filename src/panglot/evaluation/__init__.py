"""Evaluation: exact ranks, measures, three settings, results."""

import lazy_loader

# __init__.pyi lists the public names; each is imported on first use, so that a command that needs no
# model, or whose input is wrong, does not wait for torch
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
