"""The page ``docs/benchmarks.md``: the table of what ``docs/benchmarks.json`` holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from results import RATES, Result

_HEAD = """\
# Benchmarks

Made by `make bench` from [benchmarks.json](benchmarks.json), not by hand. A ratio says how many times better ours is
than its peer, which ran beside it on the same machine. `make bench BENCH="windows lookup"` measures some of them
again, `make bench SIZE=large` also what takes hours; each is a script in `tests/benchmarks/` that says what it does.
"""
_COLUMNS = ("what", "ours", "peer", "ratio", "wanted")


def page(results: Sequence[Result]) -> str:
    """The whole page."""
    parts = [_HEAD]
    for benchmark in dict.fromkeys(one.benchmark for one in results):
        parts.append(_section(benchmark, [one for one in results if one.benchmark == benchmark]))
    return "\n".join(parts)


def _section(benchmark: str, results: Sequence[Result]) -> str:
    rows = [_row((one.name, _figure(one.ours, one.unit), *_peer(one), one.wanted)) for one in results]
    return "\n".join(
        [f"## {benchmark}\n", _row(_COLUMNS), _row(["---"] * len(_COLUMNS)), *rows, "", *_notes(results), ""]
    )


def _peer(one: Result) -> tuple[str, str]:
    if one.peer is None:
        return "", ""
    return f"{_figure(one.peer, one.unit)}: {one.against}", f"{one.ratio:,}"


def _notes(results: Sequence[Result]) -> list[str]:
    """What was measured on, what else was seen, with what and where: what several share is said once."""
    return [
        *(f"- Data of {_names(results, data)}: {data}." for data in _once(one.data for one in results)),
        *(f"- {one.name}, also: {_also(one)}." for one in results if one.also),
        *(f"- With {text}." for text in _once(", ".join(map(" ".join, one.versions.items())) for one in results)),
        *(f"- On {text}." for text in _once(one.machine for one in results)),
    ]


def _names(results: Sequence[Result], data: str) -> str:
    """Which results are of some data."""
    names = [one.name for one in results if one.data == data]
    return "all" if len(names) == len(results) else "; ".join(names)


def _also(one: Result) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in one.also.items())


def _figure(value: float, unit: str) -> str:
    return f"{value:,} {unit}" if unit in RATES or value < 1e6 else f"{value:,.0f} {unit}"


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
