"""Whole latents, from the layout that networks have to streams and back, in one pass.

`encode_latents` quantises, puts in order and codes a batch of latents block by block, so that nothing
leaves the cache; `decode_latents` is its inverse. The streams are those of `encode_batch` of the same
symbols.
"""

from lcrs._lcrs import decode_latents, encode_latents

__all__ = ["decode_latents", "encode_latents"]
