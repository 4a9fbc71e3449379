"""How far a restored picture is from its original: PSNR, SSIM and MS-SSIM, others where installed.

`measure` gives several at once by the names that result files have for them. `lcrs.metrics.tensors` has the
same ones for tensors in torch, differentiable and on their device.

Example:
    >>> import numpy as np
    >>> from lcrs import metrics
    >>> a = np.full((200, 180, 3), 100, np.uint8)
    >>> values, missing = metrics.measure(a, a + 2, ["psnr-rgb", "ms-ssim-rgb", "ssim-rgb"])
    >>> round(values["psnr-rgb"], 3), missing
    (42.11, {})
"""

from lcrs.metrics.measuring import DEFAULT_NAMES, NAMES, measure
from lcrs.metrics.perceptual import NotAvailableError
from lcrs.metrics.squared_error import SquaredError, psnr, squared_error
from lcrs.metrics.structural import MIN_SIDE_MS_SSIM, MIN_SIDE_SSIM, decibels, ms_ssim, ssim

__all__ = [
    "DEFAULT_NAMES",
    "MIN_SIDE_MS_SSIM",
    "MIN_SIDE_SSIM",
    "NAMES",
    "NotAvailableError",
    "SquaredError",
    "decibels",
    "measure",
    "ms_ssim",
    "psnr",
    "squared_error",
    "ssim",
]
