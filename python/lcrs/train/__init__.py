"""Training: recipes that make the models of this package."""
