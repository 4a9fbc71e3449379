"""Hyperprior codecs whose rate is steered by gains."""

from lcrs.latent_codecs.gain.hyper import GainHyperLatentCodec
from lcrs.latent_codecs.gain.hyperprior import GainHyperpriorLatentCodec

__all__ = ["GainHyperLatentCodec", "GainHyperpriorLatentCodec"]
