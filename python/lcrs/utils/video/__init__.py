"""CompressAI's path for its command-line tools of video."""
