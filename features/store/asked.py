"""What a lookup is asked for: held against what there is, before the online store is bothered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import TypeVar

import pyarrow as pa

from features.events.schema import USER_ID
from features.store.rows import ViewReader
from features.view import EVENT_TIMESTAMP, Feature, View
from infra.errors import FeatureError

Thing = TypeVar("Thing")


def readers(views: Sequence[View], features: Sequence[str]) -> list[ViewReader]:
    """Readers of the features that are named; of all of them where none is.

    Args:
        features: names of views, or ``view:feature`` as Feast has it.

    Raises:
        FeatureError: there is no such view, or it has no such feature.
    """
    if not features:
        return [ViewReader(view, view.features) for view in views]
    named = {view.name: view for view in views}
    wanted: dict[str, dict[str, Feature]] = {}
    for reference in features:
        name, _, column = reference.partition(":")
        known = {feature.name: feature for feature in _known("feature view", name, named).features}
        chosen = {column: _known(f"feature of {name}", column, known)} if column else known
        wanted.setdefault(name, {}).update(chosen)
    return [ViewReader(named[name], list(chosen.values())) for name, chosen in wanted.items()]


def require_asked(keys: Mapping[str, Sequence[str]], wanted: Iterable[View]) -> None:
    """Hold that views that are named are about entities of ``keys``.

    Raises:
        FeatureError: one is not: nothing could be said of it.
    """
    for view in (view for view in wanted if view.entity not in keys):
        raise FeatureError(f"{view.name} is about {view.entity}: ask for some.", f"Give ids as {view.entity}.")


def require_ids(keys: Mapping[str, Sequence[str]], views: Iterable[View]) -> None:
    """Hold that ``keys`` names entities that there are, and that their ids are texts that an event can have.

    Raises:
        FeatureError: one is not.
    """
    known = {view.entity: view for view in views}
    for entity, ids in keys.items():
        _known("entity", entity, known)
        if isinstance(ids, str):
            raise FeatureError(f"{ids!r} is one {entity} and not a list of them.", f"Ask for [{ids!r}].")
        for id_ in ids:
            _require_id(entity, id_)


def _require_id(entity: str, id_: object) -> None:
    if not isinstance(id_, str):
        said = id_.decode(errors="replace") if isinstance(id_, bytes) else id_
        raise FeatureError(f"A {entity} is a text, and {id_!r} is of type {type(id_).__name__}.", f"Ask for '{said}'.")
    if not id_:
        raise FeatureError(f"An empty {entity} is nobody's.", "Leave out who has none.")
    try:
        id_.encode()
    except UnicodeEncodeError as error:
        raise FeatureError(f"The {entity} {id_!r} is no text: {error.reason}.", "Decode it as what it was.") from error


def require_moments(moments: pa.Table) -> None:
    """Hold that a table says of which users, and as of when, features are wanted.

    Raises:
        FeatureError: a column is missing or of another type, or a cell of it is empty.
    """
    wanted = {USER_ID: (_is_text, "texts"), EVENT_TIMESTAMP: (_is_zoned, "moments with a time zone")}
    for name, (fits, said) in wanted.items():
        if name not in moments.column_names:
            raise FeatureError(f"The moments have no column {name}.", f"Give {name} as {said}.")
        if not fits(moments[name].type) or moments[name].null_count:
            empty = f", {moments[name].null_count} of them empty" if moments[name].null_count else ""
            raise FeatureError(f"{name} is a column of {moments[name].type}{empty}.", f"Give {name} as {said}.")


def _is_text(kind: pa.DataType) -> bool:
    return any(fits(kind) for fits in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _is_zoned(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) and kind.tz is not None


def in_microseconds(moments: pa.ChunkedArray) -> pa.ChunkedArray:
    """Moments with a time zone as the lake has them, in UTC.

    Raises:
        FeatureError: one has a part of a microsecond, or lies beyond what can be said in them.
    """
    try:
        return moments.cast(pa.timestamp("us", tz="UTC"))
    except pa.ArrowInvalid as error:
        raise FeatureError(
            f"{EVENT_TIMESTAMP} is no column of whole microseconds: {error}.", "Round its moments down to microseconds."
        ) from error


def require_zone(moment: datetime) -> None:
    """Hold that a moment is one, wherever it is read.

    Raises:
        FeatureError: it has no time zone.
    """
    if moment.tzinfo is None:
        raise FeatureError(f"The moment {moment} has no time zone.", "Take it from settings.shop_clock().")


def _known(kind: str, name: str, things: Mapping[str, Thing]) -> Thing:
    if name in things:
        return things[name]
    near = get_close_matches(name, things, n=1)
    said = (
        f"Did you mean {near[0]}?" if near else f"There are {', '.join(list(things)[:10])}; docs/features.md has all."
    )
    raise FeatureError(f"There is no {kind} {name}.", said)
