"""`python -m lcrs`: the command line, for where its script is not on the path."""

import sys

from lcrs.cli import main

sys.exit(main())
