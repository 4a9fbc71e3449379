"""The command line as a program: the script `lcrs`, and `python -m lcrs` where that is not on the path."""

import signal
import sys

_usual = signal.getsignal(signal.SIGINT)
if _usual is signal.default_int_handler:
    # Until there is something to tidy up, Ctrl-C ends the program without a word on what it was importing.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from lcrs.cli import main  # noqa: E402 (as said above)


def run() -> int:
    """Runs the command that the program was called with, and returns its exit code."""
    if _usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, _usual)
    return main()


if __name__ == "__main__":
    sys.exit(run())
