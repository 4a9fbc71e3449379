"""Names of distortions, for configurations; `lcrs.losses.distortions` has them, and needs torch."""

METRICS = ("mse", "ms-ssim", "l1", "charbonnier", "lpips")
