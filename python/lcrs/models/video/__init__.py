"""Models of video."""

from lcrs.models.video.google import ScaleSpaceFlow

# CompressAI's users import these from here.
from lcrs.entropy_models import EntropyBottleneck, GaussianConditional  # isort: skip  # noqa: F401
from lcrs.layers import QReLU  # isort: skip  # noqa: F401
from lcrs.models.base import CompressionModel  # isort: skip  # noqa: F401
from lcrs.models.scale_space import gaussian_blur, gaussian_kernel2d, meshgrid2d  # isort: skip  # noqa: F401
from lcrs.models.utils import conv, deconv  # isort: skip  # noqa: F401
from lcrs.ops import quantize_ste  # isort: skip  # noqa: F401
from lcrs.registry import register_model  # isort: skip  # noqa: F401

__all__ = ["ScaleSpaceFlow"]
