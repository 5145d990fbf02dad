"""Language bias in the pool of all languages: one measure, one small function."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
