"""CompressAI's older path for the table of transforms."""

from lcrs.registry.tables import TRANSFORMS, register_transform

__all__ = ["TRANSFORMS", "register_transform"]
