"""Which parameter goes to which optimizer."""

import pytest
import torch
from torch import nn

from lcrs.optimizers import net_aux_optimizer, net_optimizer
from lcrs.registry import OPTIMIZERS

CONF = {"net": {"type": "Adam", "lr": 1e-4}, "aux": {"type": "SGD", "lr": 1e-3}}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.b = nn.Linear(2, 3)
        self.a = nn.Linear(3, 2)
        self.bottleneck = nn.Module()
        self.bottleneck.quantiles = nn.Parameter(torch.zeros(2, 1, 3))
        self.bottleneck.bias = nn.Parameter(torch.zeros(2))


def names(net, optimizer):
    known = {parameter: name for name, parameter in net.named_parameters()}
    return [known[parameter] for group in optimizer.param_groups for parameter in group["params"]]


def test_net_aux_splits_by_name_in_sorted_order():
    net = Net()
    optimizers = net_aux_optimizer(net, CONF)
    assert names(net, optimizers["net"]) == ["a.bias", "a.weight", "b.bias", "b.weight", "bottleneck.bias"]
    assert names(net, optimizers["aux"]) == ["bottleneck.quantiles"]
    assert type(optimizers["net"]) is torch.optim.Adam
    assert optimizers["net"].defaults["lr"] == 1e-4
    assert type(optimizers["aux"]) is torch.optim.SGD


def test_net_takes_everything():
    net = Net()
    assert len(names(net, net_optimizer(net, {"net": CONF["net"]})["net"])) == 6


def test_frozen_parameters_are_left_out():
    net = Net()
    net.a.requires_grad_(False)
    assert names(net, net_aux_optimizer(net, CONF)["net"]) == ["b.bias", "b.weight", "bottleneck.bias"]


def test_configuration_is_left_alone():
    before = {key: dict(value) for key, value in CONF.items()}
    net_aux_optimizer(Net(), CONF)
    assert before == CONF


def test_nothing_to_train_is_said():
    net = Net()
    net.bottleneck.requires_grad_(False)
    with pytest.raises(ValueError, match="Net has no trained parameter for the 'aux' optimizer"):
        net_aux_optimizer(net, CONF)


def test_missing_keys_are_refused_and_further_ones_left_alone():
    with pytest.raises(
        ValueError, match=r"conf has no 'aux'; it is for \['net'\], must be for \['aux', 'net'\]"
    ):
        net_aux_optimizer(Net(), {"net": CONF["net"]})
    assert net_optimizer(Net(), CONF).keys() == {"net"}
    conf = {**CONF, "scheduler": {"type": "StepLR"}, "clip": 1.0}
    assert net_aux_optimizer(Net(), conf).keys() == {"net", "aux"}


def test_registered_names():
    assert OPTIMIZERS["net"] is net_optimizer
    assert OPTIMIZERS["net_aux"] is net_aux_optimizer
