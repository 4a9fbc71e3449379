"""`python -m lcrs.utils.eval_model`: CompressAI's command for models; ours is `lcrs eval`."""
