"""Draws one picture as SVG for the page: in the page's own colours and letters, and with equal bytes each time."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup, escape

from infra.pictures import empty_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colours that stand for one of the page's, which differ in the light and in the dark (``page.html``).
INK: Final = "#10bb00"
MUTED: Final = "#10bb01"
SERIES: Final = tuple(f"#10aa{place:02x}" for place in range(10))
_COLOURS: Final = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    **{colour: f"var(--series-{place})" for place, colour in enumerate(SERIES)},
}

# Inches; at this size letters can still be read where the page is as narrow as a telephone.
_WIDTH: Final = 5.2
_HEIGHT: Final = 2.9
_LINE: Final = 0.2
_ABREAST: Final = 5
_STYLE: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "penchant",
    "text.parse_math": False,  # a name with dollar signs is no formula
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": MUTED,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "legend.columnspacing": 1.2,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.handlelength": 1.2,
    "legend.labelcolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
}
# with all of these absent, nothing is written about who drew it and when
_METADATA: Final = dict.fromkeys(("Date", "Creator", "Format", "Type"))


@dataclass(frozen=True)
class Picture:
    """One picture with its title and caption; without ``svg`` there is nothing to draw, and ``said`` says why."""

    name: str
    title: str
    said: str
    svg: Markup | None = None

    @property
    def blank(self) -> bool:
        return self.svg is None


def draw(name: str, alt: str, paint: Callable[[Axes], None], labels: int = 0) -> Markup:
    """Draw one pair of axes.

    Args:
        name: unique in the page; part of the ids in the picture.
        alt: what the picture shows, for those who do not see it.
        paint: draws into the axes.
        labels: how many the legend will have; the picture grows with its lines.
    """
    from matplotlib.style import context

    drawn = io.StringIO()
    height = _HEIGHT + _LINE * (labels // _ABREAST)
    with context(_STYLE, after_reset=True):  # whatever matplotlibrc this machine has
        figure, (axes,) = empty_figure(_WIDTH, height)
        paint(axes)
        figure.savefig(drawn, format="svg", transparent=True, metadata=_METADATA)
    return _inline(drawn.getvalue(), name, alt)


def whole_numbers(axis: Any) -> None:
    """Count along an axis: whole numbers, with commas."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def legend_above(axes: Any, last: Collection[str] = ()) -> None:
    """Say above the axes what the colours mean, labels in ``last`` at the end; one alone explains itself."""
    named = sorted(zip(*axes.get_legend_handles_labels(), strict=True), key=lambda one: one[1] in last)
    if len(named) > 1:
        axes.figure.legend(*zip(*named, strict=True), loc="outside upper left", ncols=_ABREAST)


def _inline(drawn: str, name: str, alt: str) -> Markup:
    """The picture alone, without header and addresses, with ids of its own in the page."""
    svg = drawn[drawn.index("<svg") :]
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    for colour, of_page in _COLOURS.items():
        svg = svg.replace(colour, of_page)
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1))  # noqa: S704 (made here)
