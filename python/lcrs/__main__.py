"""``python -m lcrs`` is the command line tool."""

import sys

from lcrs.cli import main

if __name__ == "__main__":
    sys.exit(main())
