"""CompressAI's path for the entropy models of variable rate."""

from lcrs.entropy_models.vbr import EntropyBottleneckVbr, EntropyModelVbr

__all__ = ["EntropyBottleneckVbr", "EntropyModelVbr"]
