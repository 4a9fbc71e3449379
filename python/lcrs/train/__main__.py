"""`python -m lcrs.train`: the same as `lcrs train`."""

import sys

from lcrs.train.command import main

if __name__ == "__main__":
    sys.exit(main())
