"""Models of video."""

from lcrs.models.video.google import ScaleSpaceFlow

__all__ = ["ScaleSpaceFlow"]
