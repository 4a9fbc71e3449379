"""How alike pictures are: what SSIM and MS-SSIM are made of.

Arrays are uint8, uint16 or float32, (H, W) or (H, W, C); results depend neither on threads nor on the
instruction set.
"""

from lcrs._lcrs import structural_similarity

__all__ = ["structural_similarity"]
