import pytest
from tiny_networks import TINY, make, shared


@pytest.fixture(params=list(TINY))
def name(request):
    return request.param


@pytest.fixture
def net(name):
    """Not to be changed, but for its `entropy_coder`."""
    with shared(make, name) as net:
        yield net


@pytest.fixture
def own_net(name):
    """For a test to do with what it likes."""
    return make(name)
