"""The order of the raster scan's steps."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lcrs import coding
from lcrs.latent_codecs.stepwise import run_steps


def places(height, width, kernel_size, kind="lcrs"):
    steps = []

    def step(rows, columns):
        steps.append(list(zip(rows.tolist(), columns.tolist(), strict=True)))

    run_steps((height, width), kernel_size, kind, step)
    return steps


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 5, 7]))
def test_every_place_once_after_all_that_it_sees(height, width, kernel_size):
    reach = kernel_size // 2
    known = set()
    for step in places(height, width, kernel_size):
        assert [row for row, _ in step] == sorted({row for row, _ in step})
        for row, column in step:
            seen = {
                (r, c) for r in range(row - reach, row) for c in range(column - reach, column + reach + 1)
            }
            seen |= {(row, c) for c in range(column - reach, column)}
            inside = {(r, c) for r, c in seen if 0 <= r < height and 0 <= c < width}
            assert inside <= known
        known |= set(step)
    assert known == {(r, c) for r in range(height) for c in range(width)}


@pytest.mark.parametrize(
    ("size", "kernel_size", "num_steps"), [((32, 48), 5, 141), ((1, 7), 5, 7), ((7, 1), 3, 7)]
)
def test_number_of_steps(size, kernel_size, num_steps):
    assert len(places(*size, kernel_size)) == num_steps


def test_one_by_one_is_the_raster_order():
    assert places(2, 3, 5, "ans") == [[(0, 0)], [(0, 1)], [(0, 2)], [(1, 0)], [(1, 1)], [(1, 2)]]


def test_what_a_step_raises_ends_the_scan():
    seen = []

    def step(rows, columns):
        seen.append(rows)
        raise KeyError("no more")

    with pytest.raises(KeyError, match="no more"):
        run_steps((3, 3), 5, "lcrs", step)
    assert len(seen) == 1
    with pytest.raises(ValueError, match='order is "spiral"'):
        coding.each_step(3, 3, 5, "spiral", step)


def test_a_compiler_looks_at_what_is_around_but_not_into_the_steps():
    graphs, taken = [], []

    def keep(graph, _):
        graphs.append(graph)
        return graph.forward

    def step(rows, columns):
        taken.append(torch.stack([rows, columns]) + 1)

    def scanned(x):
        y = x + 1
        run_steps((4, 5), 5, "lcrs", step)
        return 2 * y

    torch.compiler.reset()
    assert torch.equal(torch.compile(scanned, backend=keep)(torch.ones(3)), torch.full((3,), 4.0))
    assert len(taken) == 14
    assert len(graphs) == 2
