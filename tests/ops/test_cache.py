"""Fingerprints of parameters and what is kept under them."""

import copy
import pickle

import pytest
import torch

from lcrs.ops.cache import KeyedCache, fingerprint


def test_fingerprint_follows_numbers_and_shapes():
    x = torch.arange(6.0)
    same = [x.clone(), x.double(), torch.arange(12.0)[::2] / 2, x.requires_grad_()]
    assert {fingerprint([t]) for t in same} == {fingerprint([x])}
    bumped = x.detach().clone()
    bumped[3] = torch.nextafter(bumped[3], torch.tensor(9.0))
    others = [x.reshape(2, 3), x[:5], -x, bumped, x.int(), torch.complex(x.detach(), x.detach())]
    assert len({fingerprint([t]) for t in [x, *others]}) == 1 + len(others)
    assert fingerprint([x, x]) != fingerprint([x])
    assert fingerprint([torch.zeros(0)]) != fingerprint([torch.zeros(0, 2)])


def test_fingerprint_sees_writes_behind_autograds_back():
    x = torch.nn.Parameter(torch.zeros(3))
    before = fingerprint([x])
    x.data[1] = 1
    assert fingerprint([x]) != before


def test_fingerprint_leaves_storages_resizable():
    x = torch.zeros(4, dtype=torch.int32)
    fingerprint([x])
    assert x.resize_(100).shape == (100,)


def test_cache_holds_the_last_value_for_its_key():
    cache, built = KeyedCache(), []
    for key in (b"a", b"a", b"b", b"a"):
        cache.get(key, lambda key=key: built.append(key) or key)
    assert built == [b"a", b"b", b"a"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda cache: pickle.loads(pickle.dumps(cache))])
def test_copies_are_empty(copied):
    cache = KeyedCache()
    cache.get(b"a", lambda: 1)
    assert copied(cache).get(b"a", lambda: 2) == 2
