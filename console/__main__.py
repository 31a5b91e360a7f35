"""`python -m console` is `gameday`."""

from console.cli import main

if __name__ == "__main__":
    main()
