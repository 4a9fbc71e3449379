"""`python -m lcrs.utils.video.eval_model`: CompressAI's command for evaluating models on video."""
