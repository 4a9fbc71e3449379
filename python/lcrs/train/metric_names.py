"""Names of distortions, for configurations; `lcrs.losses.distortions` has them, and needs torch."""

PICTURE_METRICS = ("mse", "ms-ssim", "l1", "charbonnier", "lpips")
METRICS = (*PICTURE_METRICS, "chamfer", "none")
