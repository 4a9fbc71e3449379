"""Compression models, under the names that the field gives them."""

from lcrs.models.base import CompressionModel, get_scale_table

__all__ = ["CompressionModel", "get_scale_table"]
