"""`python -m switchhook` is `switchhook`."""

from switchhook.cli import main

if __name__ == "__main__":
    main()
