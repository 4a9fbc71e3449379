"""`python -m lcrs.utils.bench`: CompressAI's command for classical codecs; ours is `lcrs bench`."""
