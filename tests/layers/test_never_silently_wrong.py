"""What is coded is what `forward` computes: whatever was done to a module, or it is refused by name."""

import argparse
import copy
import functools
from collections import deque
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.nn.utils import spectral_norm as old_spectral_norm

import lcrs
from lcrs.errors import NotPortableError, NotPortableWarning
from lcrs.layers import GDN, GDN1, MaskedConv2d, ResidualBlock
from lcrs.layers.exact import ExactNetwork
from lcrs.layers.lowering import lower
from lcrs.layers.module_state import state_key, structure_of


class Shifted(ResidualBlock):
    def forward(self, x):
        return super().forward(x) + 0.3


class OtherGDN(GDN):
    def forward(self, x):
        return super().forward(x) + 1.0


class OtherNorm(GDN):
    """Overrides what `forward` calls, not `forward` itself."""

    def _norm(self, pooled):
        return super()._norm(pooled) + 0.5


class Liar(nn.Module):
    """Its `lower` is its own, and wrong."""

    def forward(self, x):
        return torch.relu(x) + 0.01

    def lower(self, graph, x):
        return graph.op("relu", x)


class Scaled(nn.Module):
    """Depends on a plain number and a plain tensor, neither in its state dict."""

    def __init__(self):
        super().__init__()
        self.factor = 2.0
        self.shift = torch.tensor([0.5, 1.0])

    def forward(self, x):
        return self.factor * x + self.shift[:, None, None]

    def lower(self, graph, x):
        shift = graph.op("constant", tensor=graph.tensor("shift", self.shift))
        return graph.op("add", graph.op("mul_scalar", x, value=self.factor), shift)


class Tall(nn.Sequential):
    """A subclass that changes nothing."""

    def __init__(self, channels):
        super().__init__(Plain(channels, channels, 3, padding=1), nn.ReLU())


class Plain(nn.Conv2d):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        nn.init.ones_(self.weight)


@pytest.fixture
def x():
    torch.manual_seed(3)
    return torch.randn(2, 2, 6, 5)


def run(module, x, network=None):
    with torch.no_grad():
        return (network or ExactNetwork()).run(module, x, "h_s")


def assert_coded_as_forward(module, x, network=None):
    with lcrs.portability("allow"):
        found = run(module, x, network)
    with torch.no_grad():
        wanted = copy.deepcopy(module).eval()(x)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [lambda: Shifted(2, 2), lambda: OtherGDN(2), lambda: OtherNorm(2)])
def test_an_inherited_lower_does_not_count_for_an_overridden_forward(make, x):
    module = nn.Sequential(nn.Conv2d(2, 2, 1), make())
    with pytest.warns(NotPortableWarning, match=f"{type(module[1]).__name__} at 'h_s.1'"):
        run(module, x)
    assert_coded_as_forward(module, x)
    with lcrs.portability("require"), pytest.raises(NotPortableError, match=type(module[1]).__name__):
        run(module, x)


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("mode", ["require", "warn", "allow"])
def test_a_lower_that_disagrees_is_refused_by_name(place, mode, x):
    parts = [nn.Conv2d(2, 2, 3, padding=1), nn.Sequential(nn.ReLU())]
    parts.insert(place, Liar())
    with lcrs.portability(mode), pytest.raises(NotPortableError, match=rf"Liar at 'h_s\.{place}'.*lower\(\)"):
        run(nn.Sequential(*parts), x)
    with torch.no_grad(), pytest.raises(NotPortableError, match="Liar"):
        ExactNetwork().run_where_possible(nn.Sequential(*parts), x, "g_a")


def test_classes_here_lower_as_what_they_are(x):
    for module in (
        GDN(2),
        GDN1(2),
        GDN1(2, inverse=True),
        ResidualBlock(2, 2),
        MaskedConv2d(2, 2, 5, padding=2),
    ):
        assert_coded_as_forward(module, x)
        with lcrs.portability("require"):
            run(module, x)


def test_subclasses_that_override_nothing_lower(x):
    with lcrs.portability("require"):
        run(Tall(2), x)
    assert_coded_as_forward(Tall(2), x)


def test_numbers_and_tensors_outside_the_state_dict_are_noticed(x):
    module, network = Scaled(), ExactNetwork()
    assert_coded_as_forward(module, x, network)
    module.factor = 3.0
    assert_coded_as_forward(module, x, network)
    module.shift[0] = -4.0
    assert_coded_as_forward(module, x, network)
    with lcrs.portability("require"):
        run(module, x, network)


class Held(nn.Module):
    """Depends on a number that is deep inside of what it holds."""

    def __init__(self, holder, number):
        super().__init__()
        self.holder, self.number = holder, number

    def forward(self, x):
        return float(self.number(self.holder)) * x

    def lower(self, graph, x):
        return graph.op("mul_scalar", x, value=float(self.number(self.holder)))


@dataclass
class Settings:
    factor: float = 2.0
    inner: dict = field(default_factory=lambda: {"factors": [{"first": 2.0}, np.float32(2)]})


class Slotted:
    __slots__ = ("factor",)

    def __init__(self):
        self.factor = 2.0


def set_item(holder, key, value):
    holder[key] = value


HOLDERS = {
    "dict": (lambda: {"f": 2.0}, lambda h: h["f"], lambda h: set_item(h, "f", 3.0)),
    "nested": (
        lambda: [{"f": (2.0, {1: 2.0})}],
        lambda h: h[0]["f"][1][1],
        lambda h: set_item(h[0]["f"][1], 1, 3.0),
    ),
    "array": (lambda: np.full(3, 2.0), lambda h: h[1], lambda h: set_item(h, 1, 3.0)),
    "objects": (lambda: np.array([[2.0], "a"], object), lambda h: h[0][0], lambda h: set_item(h[0], 0, 3.0)),
    "long": (lambda: [np.float64(2)] * 200, lambda h: h[150], lambda h: set_item(h, 150, np.float64(3))),
    "namespace": (lambda: SimpleNamespace(f=2.0), lambda h: h.f, lambda h: setattr(h, "f", 3.0)),
    "arguments": (lambda: argparse.Namespace(f=2.0), lambda h: h.f, lambda h: setattr(h, "f", np.float32(3))),
    "dataclass": (Settings, lambda h: h.factor, lambda h: setattr(h, "factor", 3.0)),
    "inside": (
        Settings,
        lambda h: h.inner["factors"][0]["first"] * h.inner["factors"][1],
        lambda h: set_item(h.inner["factors"], 1, np.float32(3)),
    ),
    "slots": (Slotted, lambda h: h.factor, lambda h: setattr(h, "factor", 3.0)),
    "partial": (
        lambda: functools.partial(max, [2.0, 1.0]),
        lambda h: h(),
        lambda h: set_item(h.args[0], 0, 3.0),
    ),
    "tensors": (lambda: {"a": [torch.ones(2)]}, lambda h: h["a"][0].sum(), lambda h: h["a"][0].add_(1)),
    "module": (lambda: [nn.PReLU(1, 2.0)], lambda h: h[0].weight, lambda h: h[0].weight.data.add_(1)),
    "set": (lambda: {2.0}, max, lambda h: h.add(3.0)),
    "queue": (lambda: deque([2.0]), max, lambda h: h.append(3.0)),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_numbers_inside_of_what_modules_hold_are_noticed(name, x):
    make, number, change = HOLDERS[name]
    module, network = Held(make(), number), ExactNetwork()
    assert_coded_as_forward(module, x, network)
    before = state_key(module)
    assert state_key(module) == before
    change(module.holder)
    assert state_key(module) != before
    assert_coded_as_forward(module, x, network)


def test_what_leads_anywhere_is_looked_at_within_bounds(x):
    module = Held({"f": 2.0}, lambda holder: holder["f"])
    module.itself = [module, {"again": [module]}]
    module.chain = module.chain_start = []
    for _ in range(5000):
        module.chain.append([module.chain_start])
        module.chain = module.chain[-1]
    module.all = [object() for _ in range(50_000)]
    assert len(repr(structure_of(module)[0])) < 2_000_000
    before = state_key(module)
    module.holder["f"] = 3.0
    assert state_key(module) != before


def add_hook(module):
    module[0].register_forward_hook(lambda module, args, out: out + 1)


def add_pre_hook(module):
    module[0].register_forward_pre_hook(lambda module, args: (args[0] * 2,))


def assign_forward(module):
    conv = module[0]
    conv.forward = lambda x: nn.Conv2d.forward(conv, x) - 1


def assign_step_of_forward(module):
    conv = module[0]
    conv._conv_forward = lambda x, weight, bias: nn.functional.conv2d(x, 2 * weight, bias, padding=1)


def unshare(module):
    module[2] = nn.Conv2d(2, 2, 3, padding=1)


def change_slope(module):
    module[1].negative_slope = 0.7


@pytest.mark.parametrize(
    "change", [add_hook, add_pre_hook, assign_forward, assign_step_of_forward, unshare, change_slope]
)
def test_what_is_done_after_the_first_run_is_noticed(change, x):
    conv = nn.Conv2d(2, 2, 3, padding=1)
    module, network = nn.Sequential(conv, nn.LeakyReLU(), conv), ExactNetwork()
    assert_coded_as_forward(module, x, network)
    before = run(module, x, network)
    change(module)
    assert_coded_as_forward(module, x, network)
    with lcrs.portability("allow"):
        assert not torch.equal(run(module, x, network), before)


def test_a_lower_that_was_assigned_to_one_layer_is_compared_too(x):
    module = nn.Sequential(nn.Conv2d(2, 2, 1), GDN(2))
    module[1].lower = lambda graph, value: graph.op("relu", value)
    with pytest.raises(NotPortableError, match=r"GDN at 'h_s.1' .* not compute what its forward does"):
        run(module, x)


def test_what_does_not_compute_may_be_assigned(x):
    module = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU())
    module[0].train = lambda mode=True: module[0]
    with lcrs.portability("require"):
        assert_coded_as_forward(module, x)


def test_steps_assigned_to_a_class_of_torch_are_what_codes(x, monkeypatch):
    module, network = nn.Sequential(nn.Conv2d(2, 2, 1), nn.LeakyReLU()), ExactNetwork()
    assert_coded_as_forward(module, x, network)
    released = nn.Conv2d._conv_forward
    monkeypatch.setattr(nn.Conv2d, "_conv_forward", lambda *args: 1.02 * released(*args))
    with pytest.warns(NotPortableWarning, match="Conv2d at"):
        run(module, x, network)
    assert_coded_as_forward(module, x, network)


@pytest.mark.parametrize(
    ("holder", "name", "layer"),
    [
        (nn.functional, "gelu", nn.GELU()),
        (nn.functional, "leaky_relu", nn.LeakyReLU()),
        (nn.functional, "conv2d", GDN(2)),
        (torch, "sigmoid", nn.Sigmoid()),
        (torch, "abs", GDN1(2)),
    ],
)
def test_functions_of_torch_that_were_replaced_are_what_codes(holder, name, layer, x, monkeypatch):
    module, network = nn.Sequential(nn.Conv2d(2, 2, 1), layer), ExactNetwork()
    assert_coded_as_forward(module, x, network)
    released = getattr(holder, name)
    monkeypatch.setattr(holder, name, functools.wraps(released)(lambda *a, **k: 1.02 * released(*a, **k)))
    with pytest.warns(NotPortableWarning, match=rf"{name} were replaced"):
        run(module, x, network)
    assert_coded_as_forward(module, x, network)
    monkeypatch.undo()
    with lcrs.portability("require"):
        assert_coded_as_forward(module, x, network)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")
def test_frozen_scripts_run_in_torch(x):
    module = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.GELU()).eval()
    with lcrs.portability("allow"), torch.no_grad():
        found = run(torch.jit.freeze(torch.jit.script(module)), x)
        torch.testing.assert_close(found, module(x), rtol=1e-4, atol=1e-5)


def test_training_mode_codes_as_eval_mode(x):
    module = nn.Sequential(nn.Conv2d(2, 4, 1), nn.Dropout(0.5), OtherGDN(4), nn.BatchNorm2d(4))
    module.train()
    state = copy.deepcopy(module.state_dict())
    assert_coded_as_forward(module, x)
    assert all(part.training for part in module.modules())
    assert all(torch.equal(value, state[key]) for key, value in module.state_dict().items())


def pruned():
    conv = nn.Conv2d(2, 3, 3, padding=1)
    prune.random_unstructured(conv, "weight", amount=0.5)
    return conv


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


def doubled():
    conv = nn.Conv2d(2, 3, 3, padding=1)
    parametrize.register_parametrization(conv, "weight", Doubled())
    return conv


with pytest.warns((FutureWarning, UserWarning)):  # the latter of torch 2.2
    OLD_WEIGHT_NORM = torch.nn.utils.weight_norm(nn.Conv2d(2, 3, 3, padding=1))


@pytest.mark.parametrize(
    "make",
    [
        pruned,
        doubled,
        lambda: OLD_WEIGHT_NORM,
        lambda: old_spectral_norm(nn.Conv2d(2, 3, 3, padding=1)),
        lambda: parametrizations.weight_norm(nn.Conv2d(2, 3, 3, padding=1)),
        lambda: parametrizations.spectral_norm(nn.Conv2d(2, 3, 3, padding=1)),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_effective_weights_are_lowered_and_kept_up(make, dtype, x):
    module, network = nn.Sequential(make().to(dtype), nn.ReLU()), ExactNetwork()
    module.train()
    buffers = [buffer.clone() for buffer in module.buffers()]
    with lcrs.portability("require"):
        first = run(module, x, network)
        with torch.no_grad():
            torch.testing.assert_close(first, module.eval()(x.to(dtype)).float(), rtol=1e-4, atol=1e-5)
            for parameter in module.parameters():
                parameter.mul_(1.5).add_(0.1)
        second = run(module, x, network)
    assert not torch.equal(first, second)
    with torch.no_grad():
        torch.testing.assert_close(second, module(x.to(dtype)).float(), rtol=1e-4, atol=1e-5)
    assert all(map(torch.equal, buffers, module.buffers()))  # no power iteration was made


def test_linear_layers_on_pictures_go_as_torch_has_them(x):
    module = nn.Sequential(nn.Linear(5, 5), nn.ReLU())  # along the width, not the channels
    assert_coded_as_forward(module, x)
    with pytest.warns(NotPortableWarning, match=r"Linear at 'h_s\.0'"):
        run(module, x)


def test_graphs_are_of_eval_mode_without_touching_buffers():
    conv = parametrizations.spectral_norm(nn.Conv2d(2, 3, 1)).train()
    before = [buffer.clone() for buffer in conv.buffers()]
    lower(conv, "g_a")
    assert conv.training
    assert all(map(torch.equal, before, conv.buffers()))
