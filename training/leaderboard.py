"""Models side by side on one split, for people (Markdown) and programs (JSON)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from training.figures import Figures

COLUMNS: Final = ("ndcg_10", "recall_10", "hit_10", "mrr", "ndcg_5", "ndcg_20")


def to_markdown(board: Mapping[str, Figures], split: str) -> str:
    """A table, the best NDCG@10 first, each figure with its 95 % interval; below it one by kind of user."""
    first = next(iter(board.values()))
    lines = [
        f"# Leaderboard, {split} days",
        "",
        f"{first.moments} moments of {first.users} users; every item of the catalogue is ranked.",
        "In brackets: 95 % interval, users resampled.",
        "",
        *_table(("model", *COLUMNS, "coverage_10"), [_row(name, board[name]) for name in ranked(board)]),
        "",
        "NDCG@10 by kind of user:",
        "",
        *_table(
            ("model", *(f"{kind} ({count})" for kind, count in first.sizes.items())),
            [(name, *(str(part["ndcg_10"]) for part in board[name].slices.values())) for name in ranked(board)],
        ),
    ]
    return "\n".join(lines) + "\n"


def to_json(board: Mapping[str, Figures], split: str) -> dict[str, Any]:
    """The same as numbers, models in order of NDCG@10."""
    return {"split": split, "models": [{"name": name, **board[name].to_json()} for name in ranked(board)]}


def ranked(board: Mapping[str, Figures]) -> list[str]:
    """Names by NDCG@10, the best first; equals by name."""
    return sorted(board, key=lambda name: (-board[name].metrics["ndcg_10"].value, name))


def _row(name: str, figures: Figures) -> tuple[str, ...]:
    return (name, *(str(figures.metrics[column]) for column in COLUMNS), f"{figures.coverage['coverage_10']:.3f}")


def _table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (titles, ("---",) * len(titles), *rows)]
