"""`python -m lcrs.utils.update_model`: CompressAI's command for `lcrs.zoo.updating`."""
