"""CompressAI's path for the functions of variable-rate models."""

from lcrs.zoo.image import bmshj2018_hyperprior_vbr, mbt2018_mean_vbr, mbt2018_vbr

__all__ = ["bmshj2018_hyperprior_vbr", "mbt2018_mean_vbr", "mbt2018_vbr"]
