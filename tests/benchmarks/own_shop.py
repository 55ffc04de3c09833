"""A shop with servers of its own and rows of every feature view, drawn from a seed: it was never ingested."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from runs import folder

from features.events.schema import CATEGORY, ITEM_ID
from features.files import write_table
from features.service import service_version
from features.view import CREATED_TIMESTAMP, EVENT_TIMESTAMP, Feature, View
from features.views import views_of
from infra.database import create_databases
from infra.lake import write_json
from infra.partitions import Span, day_end
from infra.ports import free_ports
from infra.services import start_services, stop_services
from infra.settings import Settings, load_settings

SEED = 1
START = date(2010, 12, 1)
_CATALOGUE = 20_000
CATEGORIES = 300
#: Of ten counts in a window seven are zero, as in a shop whose users mostly look.
_ZEROS = 0.7


@contextmanager
def own_shop(users: int, items: int, days: int) -> Iterator[Settings]:
    """The settings of a temporary home with its rows drawn, whose PostgreSQL and Valkey run."""
    with folder() as home:
        postgres_port, valkey_port = free_ports(2)
        (home / "settings.toml").write_text(f"postgres_port = {postgres_port}\nvalkey_port = {valkey_port}\n")
        settings = load_settings(home)
        draw(settings, users, items, days)
        try:
            start_services(settings)
            create_databases(settings)
            yield settings
        finally:
            stop_services(settings)


def draw(settings: Settings, users: int, items: int, days: int) -> Span:
    """Write the files of ``days`` days; every user and item has a row on two thirds of them."""
    span = Span(START, START + timedelta(days=days))
    for number, day in enumerate(span.days()):
        for place, view in enumerate(views_of(settings)):
            rng = np.random.default_rng([SEED, number, place])
            count = entities(view, users, items)
            chosen = [f"{view.entity[:4]}-{entity}" for entity in range(count) if (entity + number) % 3]
            content = _rows(view, chosen, rng).append_column(EVENT_TIMESTAMP, _moments(settings, day, len(chosen)))
            content = content.append_column(CREATED_TIMESTAMP, content[EVENT_TIMESTAMP])
            write_table(content.cast(view.schema), settings.lake.feature(view.name, day))
        write_json(settings.lake.built(day), {"definitions": service_version(settings)})
    return span


def entities(view: View, users: int, items: int) -> int:
    """How many users, items or categories have rows in a view."""
    return {ITEM_ID: items, CATEGORY: CATEGORIES}.get(view.entity, users)


def _moments(settings: Settings, day: date, count: int) -> pa.Array:
    return pa.array([day_end(day, settings.zone)] * count, pa.timestamp("us", tz="UTC"))


def _rows(view: View, ids: list[str], rng: np.random.Generator) -> pa.Table:
    columns = [pa.array(ids), *(_column(feature, len(ids), rng) for feature in view.features)]
    return pa.table(columns, names=[view.entity, *view.columns])


def _column(feature: Feature, count: int, rng: np.random.Generator) -> pa.Array:
    if feature.kind == "float64":
        return pa.array(np.where(rng.random(count) < _ZEROS, 0.0, rng.random(count)))
    if feature.kind == "int64":
        values = rng.integers(0, 500_000 if "spend" in feature.name else 12, count)
        return pa.array(np.where(rng.random(count) < _ZEROS, 0, values))
    lengths = rng.integers(1, 30, count)
    places = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.ListArray.from_arrays(places, _values(feature, int(lengths.sum()), rng))


def _values(feature: Feature, count: int, rng: np.random.Generator) -> pa.Array:
    if feature.kind == "list<float64>":
        return pa.array(rng.random(count))
    if feature.kind == "list<int64>":
        return pa.array(rng.integers(0, 1_300_000_000_000_000 if feature.name.endswith("_us") else 50, count))
    return pa.array(np.char.add("item-", rng.integers(0, _CATALOGUE, count).astype(str)))
