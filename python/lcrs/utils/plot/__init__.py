"""`python -m lcrs.utils.plot`: CompressAI's command for drawing results; `lcrs plot` is ours."""
