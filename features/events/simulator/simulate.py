"""Writes a simulated shop: its log, a folder a day, its items, and beside them the truth that was planted.

OUT/log/dt=DAY/events.parquet   in the vocabulary of the source ``canonical``
OUT/log/items.parquet           title, category, price, and since when
OUT/truth/shop.json             size, habits, decay per category, migration, rates
OUT/truth/interests.parquet     every latent interest: user, category, when it began
OUT/truth/visits.parquet        every visit: user, category, moment, the interest that it follows
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.events.schema import CATEGORY_PATH, ITEM_ID, PRICE, TITLE, USER_ID, VALID_FROM
from features.events.simulator.behaviour import draw_behaviour
from features.events.simulator.events import EVENTS, table_of
from features.events.simulator.interests import Interests, draw_interests
from features.events.simulator.shop import RATES, SEARCH_RATE, Ints, Shop, Truth, truth_of
from features.events.simulator.visits import Visits, draw_visits
from infra.errors import SettingsError
from infra.lake import write_json, written_aside

_COMPRESSION: Final = "zstd"
INTERESTS: Final = pa.schema([(USER_ID, pa.int64()), ("category", pa.int64()), ("began_day", pa.float64())])
VISITS: Final = pa.schema(
    [(USER_ID, pa.int64()), ("category", pa.int64()), ("at_day", pa.float64()), ("interest_began_day", pa.float64())]
)


def simulate(shop: Shop, out: Path) -> dict[str, Any]:
    """Write the shop into ``out``, which must not exist; it appears when it is whole.

    Memory is bounded by a block of users; the same shop gives equal bytes.

    Returns:
        ``events``, ``users``, ``items``, ``days``.

    Raises:
        SettingsError: ``out`` exists.
    """
    if out.exists():
        raise SettingsError(f"{out} exists already.", "Name a folder that does not, or delete it.")
    truth, events = truth_of(shop), 0
    with written_aside(out) as folder:
        (folder / "truth").mkdir(parents=True)
        days = [shop.start + timedelta(days=number) for number in range(shop.days)]
        with _opened(folder, days) as (daily, interests, visits):
            for block, first in enumerate(range(0, shop.users, shop.block_users)):
                users = range(first, min(first + shop.block_users, shop.users))
                events += _draw(shop, truth, block, users, daily, interests, visits)
        pq.write_table(_items(shop, truth), folder / "log" / "items.parquet", compression=_COMPRESSION)
        write_json(folder / "truth" / "shop.json", _told(shop, truth))
    return {"events": events, "users": shop.users, "items": shop.items, "days": shop.days}


@contextmanager
def _opened(
    folder: Path, days: list[date]
) -> Iterator[tuple[list[pq.ParquetWriter], pq.ParquetWriter, pq.ParquetWriter]]:
    """A writer for each day's events, and for interests and visits."""
    with ExitStack() as stack:

        def opened(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
            path.parent.mkdir(parents=True, exist_ok=True)
            return stack.enter_context(pq.ParquetWriter(path, schema, compression=_COMPRESSION))

        daily = [opened(folder / "log" / f"dt={day}" / "events.parquet", EVENTS) for day in days]
        yield (
            daily,
            opened(folder / "truth" / "interests.parquet", INTERESTS),
            opened(folder / "truth" / "visits.parquet", VISITS),
        )


def _draw(
    shop: Shop,
    truth: Truth,
    block: int,
    users: range,
    daily: list[pq.ParquetWriter],
    interest_writer: pq.ParquetWriter,
    visit_writer: pq.ParquetWriter,
) -> int:
    """Draw a block of users and write what they did; returns the number of events."""
    draw = shop.generator(1, block)
    interests = draw_interests(shop, truth, users, draw)
    visits = draw_visits(shop, truth, interests, draw)
    table, day = table_of(shop, truth, block, visits, draw_behaviour(shop, truth, visits, draw), draw)
    bounds = np.searchsorted(day, np.arange(shop.days + 1))
    for writer, low, high in zip(daily, bounds[:-1], bounds[1:], strict=True):
        if high > low:
            writer.write_table(table.slice(low, high - low))
    interest_writer.write_table(pa.table([interests.user, interests.category, interests.began], INTERESTS))
    visit_writer.write_table(_visits(visits, interests))
    return int(table.num_rows)


def _visits(visits: Visits, interests: Interests) -> pa.Table:
    stray = visits.interest < 0
    began = interests.began[visits.interest] if len(interests) else np.zeros(len(visits))
    return pa.table([visits.user, visits.category, visits.at, pa.array(began, mask=stray)], VISITS)


def _items(shop: Shop, truth: Truth) -> pa.Table:
    began = datetime.combine(shop.start, time(), UTC)
    since = [began + timedelta(days=float(day)) for day in truth.launch_of_item]
    categories: Ints = truth.category_of_item
    return pa.table(
        {
            ITEM_ID: [f"sim-i{item}" for item in range(shop.items)],
            TITLE: [f"Simulated thing {item} of category {of}" for item, of in enumerate(categories)],
            CATEGORY_PATH: [["simulated", f"category {of}"] for of in categories],
            PRICE: truth.price_of_item,
            VALID_FROM: pa.array(since, pa.timestamp("us", tz="UTC")),
        }
    )


def _told(shop: Shop, truth: Truth) -> dict[str, Any]:
    return {
        "synthetic": True,
        "shop": shop.model_dump(mode="json"),
        "decay_per_day": truth.decay.tolist(),
        "prior": truth.prior.tolist(),
        "migration": truth.migration.tolist(),
        "rates": {kind: {"after": after, "rate": rate} for kind, (after, rate) in RATES.items()},
        "searches_per_visit": SEARCH_RATE,
    }
