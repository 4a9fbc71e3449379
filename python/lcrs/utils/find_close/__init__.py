"""`python -m lcrs.utils.find_close`: CompressAI's command for a target; ours is `lcrs find`."""
