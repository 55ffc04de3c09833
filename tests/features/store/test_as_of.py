"""The rows of past moments are those of Feast's own historical retrieval, whatever became known late or anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.engine import default_engine
from features.events.schema import USER_ID
from features.files import write_table
from features.store.point_in_time import user_rows
from features.store.repository import open_store
from features.view import CREATED_TIMESTAMP, EVENT_TIMESTAMP, Feature, View
from features.views import SERVICE, views_of
from infra.partitions import Span, day_end
from infra.settings import Settings

pytestmark = pytest.mark.thorough

SPAN = Span(date(2011, 1, 3), date(2011, 2, 20))
USERS = [f"u{number}" for number in range(6)]
MOMENT = pa.timestamp("us", tz="UTC")


@pytest.fixture
def shop(settings: Settings) -> Settings:
    """Windows and users that expire within the days."""
    return settings.model_copy(update={"window_days": (1, 3), "half_life_days": (7,), "online_user_days": 20})


def write_rows(settings: Settings, draw: np.random.Generator) -> None:
    """Rows of some users on each day, some known late; some days are revised once or twice."""
    for view in views_of(settings):
        for day in SPAN.days():
            chosen = [user for user in USERS if draw.random() < 0.2]
            known = day_end(day, settings.zone) + timedelta(hours=int(draw.choice([0, 1, 1, 1, 60])))
            write_table(rows(settings, view, day, chosen, known, draw), settings.lake.feature(view.name, day))
            for _again in range(int(draw.integers(0, 3)) if draw.random() < 0.2 else 0):
                known += timedelta(hours=int(draw.integers(1, 200)))
                content = rows(settings, view, day, chosen[1:], known, draw)
                write_table(content, settings.lake.revision(view.name, day, known))


def rows(settings: Settings, view: View, day: date, ids: list[str], known: Any, draw: np.random.Generator) -> pa.Table:
    columns = {view.entity: ids, **{feature.name: [value(feature, draw) for _ in ids] for feature in view.features}}
    columns |= {EVENT_TIMESTAMP: [day_end(day, settings.zone)] * len(ids), CREATED_TIMESTAMP: [known] * len(ids)}
    return pa.table(columns, view.schema)


def value(feature: Feature, draw: np.random.Generator) -> Any:
    number = int(draw.integers(0, 1_000))
    if feature.kind == "int64":
        return number
    if feature.kind == "float64":
        return number / 7
    return [str(number)] if feature.kind == "list<string>" else [number, number + 1]


def by_feast(settings: Settings, asked: pa.Table, registry: Path) -> Iterator[dict[str, Any]]:
    """What plain Feast finds, in the order of ``asked``."""
    open_store(settings)  # imports Feast without what its metrics do to this process
    from feast import FeatureStore, RepoConfig

    from features.store.definitions import definitions

    store = FeatureStore(
        config=RepoConfig(
            project="plain", provider="local", registry=str(registry), offline_store={"type": "duckdb"},
            online_store=None, entity_key_serialization_version=3,
        )
    )  # fmt: skip
    store.apply(definitions(settings))
    with default_engine(settings):
        job = store.get_historical_features(
            asked.to_pandas(), store.get_feature_service(SERVICE), filter_by_created_timestamp=True
        )
        yield from job.to_arrow().sort_by("place").to_pylist()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_finds_what_feast_finds(shop: Settings, tmp_path: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    write_rows(shop, draw)
    count = 400
    hours = draw.integers(-30, 24 * (len(SPAN) + 60), count)  # also before the first row, and after all expired
    moments = [day_end(SPAN.start, shop.zone) + timedelta(hours=int(hour)) for hour in hours]
    users = [*USERS, "nobody"]
    asked = pa.table(
        {
            USER_ID: [users[int(place)] for place in draw.integers(0, len(users), count)],
            EVENT_TIMESTAMP: pa.array(moments, MOMENT),
            "place": list(range(count)),
        }
    )
    found = user_rows(shop, asked).to_pylist()
    expected = list(by_feast(shop, asked, tmp_path / "registry.db"))
    names = found[0].keys()
    assert found == [{name: row[name] for name in names} for row in expected]
    assert {row["view_count_1d"] is None for row in found} == {row["sequence_items"] is None for row in found}


def test_of_no_moments_there_are_the_columns(shop: Settings) -> None:
    write_rows(shop, np.random.default_rng(1))
    none = pa.table({USER_ID: pa.array([], pa.string()), EVENT_TIMESTAMP: pa.array([], MOMENT)})
    found = user_rows(shop, none)
    assert len(found) == 0
    assert {"view_count_1d", "sequence_items"} <= set(found.schema.names)
