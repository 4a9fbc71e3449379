"""CompressAI's path for the entropy models of variable rate."""

# CompressAI's users import these from here.
from lcrs.coding.default_kind import get_entropy_coder as default_entropy_coder  # noqa: F401
from lcrs.entropy_models.entropy_coder import EntropyCoder as _EntropyCoder  # noqa: F401
from lcrs.entropy_models.inherited import pmf_to_quantized_cdf  # noqa: F401
from lcrs.entropy_models.vbr import EntropyBottleneckVbr, EntropyModelVbr
from lcrs.ops import LowerBound  # noqa: F401

__all__ = ["EntropyBottleneckVbr", "EntropyModelVbr"]
