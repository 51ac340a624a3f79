"""The command, as `vaebench` and as `python -m vaebench`."""

import sys

from vaebench._own import check

__all__ = ["main"]


def main() -> int:
    """Run the command line, unless the packages behind it are somebody else's."""
    try:
        check()
    except ImportError as error:
        sys.stderr.write(f"vaebench: {error}\n")
        return 2
    from ablations.cli import main as command

    return command()


if __name__ == "__main__":
    sys.exit(main())
