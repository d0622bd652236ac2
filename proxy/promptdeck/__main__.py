"""`python -m promptdeck` is `promptdeck`."""

from .cli import main

if __name__ == "__main__":
    main()
