"""Where training pictures come from: folders, shards and video, and what makes batches of crops of them."""

from lcrs import needs_torch  # noqa: F401
