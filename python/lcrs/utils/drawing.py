"""What CompressAI's commands for drawing pictures' and video's results share."""

from __future__ import annotations

import argparse
import io
from importlib import import_module
from pathlib import Path

from PIL import Image

from lcrs.evaluate.plotting import draw, points_of
from lcrs.evaluate.results import read_results

__all__ = ["draw_files", "plot_arguments"]


def plot_arguments(program: str, metric: str) -> argparse.ArgumentParser:
    """The arguments of both."""
    parser = argparse.ArgumentParser(prog=program, description="Draws curves of result files.")
    parser.add_argument("-f", "--results-file", metavar="FILE", nargs="*", default="", required=True)
    parser.add_argument("-m", "--metric", metavar="NAME", default=metric, help="default: %(default)s")
    parser.add_argument("-t", "--title", metavar="TEXT", default="")
    parser.add_argument("-o", "--output", metavar="FILE", help="what is written")
    parser.add_argument("--figsize", metavar="IN", type=float, nargs=2, default=(9, 6))
    parser.add_argument("--axes", metavar="X", type=float, nargs=4, help="xmin xmax ymin ymax")
    parser.add_argument("--backend", choices=["matplotlib", "plotly"], default="matplotlib")
    parser.add_argument("--show", action="store_true", help="open a window")
    return parser


def draw_files(arguments: argparse.Namespace) -> None:
    """Draws.

    Raises:
        ValueError: a file is no result file, or lacks the measure.
        SystemExit: plotly is wanted and not installed.
    """
    curves = [read_results(path) for path in arguments.results_file]
    for results in curves:
        if not {arguments.metric, f"{arguments.metric}-rgb"} & results.results.keys():
            known = ", ".join(results.results)
            msg = f'Error: metric "{arguments.metric}" not available. Available metrics: {known}'
            raise ValueError(msg)
    if arguments.backend == "plotly":
        try:
            graphs, output = (import_module(f"plotly.{name}") for name in ("graph_objs", "io"))
        except ImportError:
            raise SystemExit("Unable to import plotly, install with: pip install pandas plotly") from None
        figure = graphs.Figure()
        for results in curves:
            xs, ys = zip(*points_of(results, arguments.metric), strict=True)
            figure.add_trace(graphs.Scatter(x=xs, y=ys, name=results.name))
        if arguments.axes is not None:
            figure.update_xaxes(range=arguments.axes[:2])
            figure.update_yaxes(range=arguments.axes[2:])
        output.write_html(figure, file=arguments.output or "plot.html", auto_open=arguments.show)
        return
    drawn, _ = draw(
        curves,
        measure=arguments.metric,
        title=arguments.title or "",
        axes=arguments.axes,
        figsize=tuple(arguments.figsize),
        path=None if arguments.output is None else Path(arguments.output),
    )
    if arguments.show:
        buffer = io.BytesIO()
        drawn.savefig(buffer, format="png")
        Image.open(buffer).show()
