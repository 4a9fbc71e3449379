"""CompressAI's path for its coder classes."""

from lcrs.coding.list_coders import BufferedRansEncoder, RansDecoder, RansEncoder

__all__ = ["BufferedRansEncoder", "RansDecoder", "RansEncoder"]
