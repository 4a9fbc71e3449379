import pytest
from tiny_networks import TINY, make


@pytest.fixture(params=list(TINY))
def name(request):
    return request.param


@pytest.fixture
def net(name):
    return make(name)
