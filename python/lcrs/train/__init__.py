"""Training: recipes that make the models of this package."""

from lcrs import needs_torch  # noqa: F401
