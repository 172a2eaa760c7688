"""``python -m ffzero`` is the ``ffzero`` command."""

from ffzero.cli import main

if __name__ == "__main__":
    main()
