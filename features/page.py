"""The page about all features, in Markdown, made from ``features.views``: it cannot say what the code does not do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from features.last_event import LAST_EVENT
from features.view import Feature, View
from features.views import views_of
from infra.settings import Settings

_HEAD: Final = """# Features

Made by `penchant features`, from `features/views.py`, `features/window_views.py` and `features/last_event.py`: change
it there ([how](add-a-feature.md)). T is the end of the last closed day in the shop's time zone. A row is written when
its content changes; between rows a reader takes the last one. Without a row, and after its time to live, counts are
zero and lists are empty; the features of `user_last_event` are null then.
"""
_LENGTH: Final = re.compile(r"_\d+d$")


def features_page(settings: Settings) -> str:
    """Every view with its columns; those that differ in a window's length or a half-life share a line."""
    return "\n".join([_HEAD, *(line for view in (*views_of(settings), LAST_EVENT) for line in _view(view))])


def _view(view: View) -> Iterator[str]:
    lives = f"{view.ttl_days} days" if view.ttl_days else "for ever"
    yield f"## {view.name}\n\n{view.description} By `{view.entity}`; a row holds {lives}; owner: {view.owner}.\n"
    yield "| column | type | unit | definition |\n|---|---|---|---|"
    for _name, found in groupby(view.features, key=lambda feature: _LENGTH.sub("", feature.name)):
        yield _line(list(found))
    yield ""


def _line(features: list[Feature]) -> str:
    first, lengths = features[0], [_LENGTH.search(feature.name) for feature in features]
    name, meaning = first.name, first.description
    if len(features) > 1:
        days = ",".join(found.group().strip("_d") for found in lengths if found)
        name = _LENGTH.sub(f"_{{{days}}}d", name)
        meaning = re.sub(r"\d+ days", "so many days", meaning)
    return f"| `{name}` | {first.kind} | {first.unit} | {meaning} |"
