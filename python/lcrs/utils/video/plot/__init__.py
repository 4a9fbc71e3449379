"""`python -m lcrs.utils.video.plot`: CompressAI's command for drawing results of video."""
