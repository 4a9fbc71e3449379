"""`python -m lcrs.utils.video.bench`: CompressAI's command for classical codecs on video."""
