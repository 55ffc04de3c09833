"""An empty figure of matplotlib, the same everywhere: without pyplot, laid out by itself, with two spines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def empty_figure(width: float, height: float, rows: int = 1) -> tuple[Figure, list[Any]]:
    """A figure of ``width`` times ``height`` inches and its axes, one a row, from the top."""
    # not through pyplot, which keeps every figure and looks for a screen
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = list(figure.subplots(rows, squeeze=False)[:, 0])
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes
