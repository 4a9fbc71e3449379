"""GDN against its formula, in both directions and norms."""

import copy
import pickle

import pytest
import torch

from lcrs.layers import GDN, GDN1

STATE = {
    "beta": (5,),
    "gamma": (5, 5),
    "beta_reparam.pedestal": (1,),
    "beta_reparam.lower_bound.bound": (1,),
    "gamma_reparam.pedestal": (1,),
    "gamma_reparam.lower_bound.bound": (1,),
}


def randomised(layer):
    """The layer with mixing between channels, as after training."""
    with torch.no_grad():
        layer.beta.copy_(layer.beta_reparam.init(0.5 + torch.rand_like(layer.beta)))
        layer.gamma.copy_(layer.gamma_reparam.init(torch.rand_like(layer.gamma)))
    return layer


def reference(layer, x):
    """The definition, one output channel at a time, in float64."""
    beta, gamma = (value.double() for value in layer.effective_parameters())
    x = x.double()
    pooled = x.abs() if isinstance(layer, GDN1) else x**2
    channels = []
    for i in range(x.shape[1]):
        norm = beta[i] + sum(gamma[i, j] * pooled[:, j] for j in range(x.shape[1]))
        if not isinstance(layer, GDN1):
            norm = norm.sqrt()
        channels.append(x[:, i] * norm if layer.inverse else x[:, i] / norm)
    return torch.stack(channels, dim=1)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("kind", [GDN, GDN1])
class TestGdn:
    def test_formula(self, kind, inverse):
        layer = randomised(kind(5, inverse=inverse))
        x = 3 * torch.randn(2, 5, 3, 4)
        torch.testing.assert_close(layer(x).double(), reference(layer, x), rtol=1e-5, atol=1e-6)

    def test_gradient(self, kind, inverse):
        layer = randomised(kind(3, inverse=inverse)).double()
        x = torch.randn(1, 3, 2, 2, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(layer, (x,))

    def test_state_dict_is_the_published_layout(self, kind, inverse):
        state = kind(5, inverse=inverse).state_dict()
        assert {key: tuple(value.shape) for key, value in state.items()} == STATE

    def test_copies_and_pickles(self, kind, inverse):
        layer, x = randomised(kind(5, inverse=inverse)), torch.randn(1, 5, 4, 4)
        expected = layer(x)
        for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            torch.testing.assert_close(other(x), expected)


# GDN is among those of test_every_layer.
@pytest.mark.parametrize(
    ("kind", "inverse"),
    [(GDN1, True), *(pytest.param(*case, marks=pytest.mark.slow) for case in [(GDN, True), (GDN1, False)])],
)
def test_compiles_and_exports(kind, inverse):
    layer, x = randomised(kind(5, inverse=inverse)), torch.randn(1, 5, 4, 4)
    expected = layer(x)
    for other in (
        torch.compile(layer, backend="eager", fullgraph=True),
        torch.export.export(layer, (x,)).module(),
    ):
        torch.testing.assert_close(other(x), expected)


def test_initial_values():
    x = torch.rand(1, 4, 3, 3)
    torch.testing.assert_close(GDN(4)(x), x / torch.sqrt(1 + 0.1 * x**2))
    torch.testing.assert_close(GDN1(4, inverse=True)(x), x * (1 + 0.1 * x))
