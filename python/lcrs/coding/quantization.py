"""From latents to symbols and back: roundings that decide bits, done the same way everywhere."""

from lcrs._lcrs import dequantize, quantize

__all__ = ["dequantize", "quantize"]
