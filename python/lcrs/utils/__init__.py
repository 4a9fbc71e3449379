"""CompressAI's path for its command-line tools."""

from lcrs import needs_torch  # noqa: F401
