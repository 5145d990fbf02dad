"""The command line as ``python -m panglot``, the form that torchrun and accelerate start."""

from panglot.cli import main

if __name__ == "__main__":  # worker processes that are spawned import this module again
    main()
