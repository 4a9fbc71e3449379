"""What is refused of groups with residuals, when a package is written."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lcrs import LcrsError, coding


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Parts of the package `residuals`, with other numbers."""
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(Path(__file__).parent / "operations")
    return importlib.import_module("operations_package").Maker(seed=1)


def rename(graph: dict[str, Any], old: str, new: str) -> None:
    """Gives an output another name."""
    graph["outputs"] = [[new if name == old else name, value] for name, value in graph["outputs"]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d, g: g[0].update(residual="nowhere"), "there is no graph 'nowhere'"),
        (lambda d, g: g[0].update(residual=3), "'residual' is 3, must be a string"),
        (lambda d, g: g[0].update(residual="y1.residual"), "graph 'y1.residual'"),
        (lambda d, g: g[0].update(residual="h_s"), "graph 'h_s' has 1 inputs, must have 2"),
        (lambda d, g: g[0].update(residual="h_a"), "a graph that must not decide symbols"),
        (lambda d, g: rename(d["graphs"]["y0.side"], "support", "other"), "there is no output 'support'"),
        (
            lambda d, g: d["graphs"]["y0.residual"]["outputs"].append(["more", 0]),
            "does not make a residual of",
        ),
        (
            lambda d, g: d["graphs"]["y0.residual"].update(outputs=[["residual", 0]]),
            "does not make a residual of (1, ",
        ),
        (lambda d, g: d["codec"]["y"].update(residual="y0.residual"), "unknown key 'residual'"),
    ],
)
def test_illegal_residuals_are_refused_in_a_line(
    change: Callable[[dict[str, Any], list[dict[str, Any]]], Any], words: str, maker: Any, tmp_path: Path
) -> None:
    description = maker.description("residuals")
    change(description, description["codec"]["y"]["groups"])
    with pytest.raises(LcrsError) as caught:
        coding.write_package(tmp_path / "bad.lcrm", description, maker.arrays)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_values_that_stop_being_finite_are_an_error(maker: Any, tmp_path: Path) -> None:
    description = maker.description("residuals")
    nodes = description["graphs"]["y0.residual"]["nodes"]
    del nodes[-2:]
    nodes.append({"op": "mul_scalar", "in": [3], "value": 3e38, "place": "y0.residual"})
    nodes.append({"op": "mul_scalar", "in": [4], "value": 3e38, "place": "y0.residual"})
    coding.write_package(tmp_path / "large.lcrm", description, maker.arrays)
    package = coding.Package.from_file(tmp_path / "large.lcrm")
    with pytest.raises(LcrsError, match=r"graph 'y0\.residual'.*with its residual: it must be finite"):
        package.compress(np.full((16, 16, 3), 200, np.uint8))
