"""Densities and quantisers of derived classes, as code written for CompressAI has them."""

import math

import torch

from lcrs.entropy_models import EntropyBottleneck, GaussianConditional


class LaplaceConditional(GaussianConditional):
    @staticmethod
    def _standardized_cumulative(inputs):
        return 0.5 - 0.5 * inputs.sign() * torch.expm1(-inputs.abs())


class LogisticConditional(GaussianConditional):
    def _likelihood(self, inputs, scales, means=None):
        values = inputs if means is None else inputs - means
        values, scales = values.abs(), self.lower_bound_scale(scales)
        return torch.sigmoid((0.5 - values) / scales) - torch.sigmoid((-0.5 - values) / scales)


class StudentConditional(GaussianConditional):
    """With three degrees of freedom."""

    @staticmethod
    def _standardized_cumulative(inputs):
        t = inputs / math.sqrt(3)
        return 0.5 + (t / (1 + t * t) + torch.atan(t)) / math.pi


class CauchyConditional(GaussianConditional):
    """Measures by a `likelihood` of its own."""

    def likelihood(self, outputs, scales, means=None):
        values = outputs if means is None else outputs - means
        scales = self.lower_bound_scale(scales)
        upper, lower = torch.atan((values + 0.5) / scales), torch.atan((values - 0.5) / scales)
        return self.likelihood_lower_bound((upper - lower) / math.pi)


class LogisticBottleneck(EntropyBottleneck):
    """Its logits are straight lines."""

    def __init__(self, channels):
        super().__init__(channels)
        self.spread = torch.nn.Parameter(torch.linspace(0.5, 5, channels).reshape(-1, 1, 1))

    def _logits_cumulative(self, inputs, stop_gradient=False):
        return (inputs - 0.3) / self.spread


class OwnBottleneck(LogisticBottleneck):
    """Gives likelihoods of a cumulative density of its own."""

    def cumulative(self, x):
        raise NotImplementedError

    def _likelihood(self, inputs, stop_gradient=False):
        x = (inputs - 0.3).abs()
        lower, upper = self.cumulative((-0.5 - x) / self.spread), self.cumulative((0.5 - x) / self.spread)
        return upper - lower, lower, upper


class LaplaceBottleneck(OwnBottleneck):
    cumulative = staticmethod(LaplaceConditional._standardized_cumulative)


class StudentBottleneck(OwnBottleneck):
    cumulative = staticmethod(StudentConditional._standardized_cumulative)


class CauchyBottleneck(OwnBottleneck):
    """As older classes, gives likelihoods alone."""

    def _likelihood(self, inputs, stop_gradient=False):
        return super()._likelihood(inputs)[0]

    def cumulative(self, x):
        return 0.5 + torch.atan(x) / math.pi


class DeadZone(GaussianConditional):
    """Rounds towards the means, and reconstructs nearer to them."""

    def quantize(self, inputs, mode, means=None):
        if mode == "noise":
            return super().quantize(inputs, mode, means)
        centred = inputs if means is None else inputs - means
        symbols = centred.sign() * torch.floor(centred.abs() + 0.4)
        if mode == "symbols":
            return symbols.int()
        values = symbols - 0.05 * symbols.sign()
        return values if means is None else values + means


class EvenBottleneck(EntropyBottleneck):
    """Symbols are two apart."""

    def quantize(self, inputs, mode, means=None):
        if mode == "noise":
            return super().quantize(inputs, mode, means)
        symbols = torch.round((inputs if means is None else inputs - means) / 2)
        return symbols.int() if mode == "symbols" else self.dequantize(symbols, means)

    @staticmethod
    def dequantize(inputs, means=None, dtype=torch.float):
        return 2 * inputs.type(dtype) if means is None else 2 * inputs.type_as(means) + means


def samples(name, shape, scales, seed=0):
    """Values of a density, by name, of these scales."""
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(shape, generator=generator, dtype=torch.float64).clamp(1e-9, 1 - 1e-9)
    if name == "laplace":
        standard = -(uniform - 0.5).sign() * torch.log1p(-2 * (uniform - 0.5).abs())
    elif name == "logistic":
        standard = torch.logit(uniform)
    elif name == "cauchy":
        standard = torch.tan(math.pi * (uniform - 0.5))
    else:  # student, three degrees of freedom
        normal = torch.randn(4, *shape, generator=generator, dtype=torch.float64)
        standard = normal[0] / ((normal[1:] ** 2).sum(0) / 3).sqrt()
    return (standard * scales).clamp(-1e6, 1e6).float()


def bits_of(strings):
    return 8 * sum(len(string) for string in strings)


def estimated(likelihoods):
    return -torch.log2(likelihoods.double()).sum().item()
