"""What test_inbox_killed.py runs: readers and writers of the inbox that are killed at some step of their work.

``python inbox_under_fire.py reader FOLDER``, or ``writer``, with the address of a PostgreSQL in the environment.
Every run is a process forked from this one, which imports everything and opens nothing. Prints how many runs
were killed; ends with 1 when a row was lost, doubled or made up.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from sqlalchemy import Engine, Pool, delete, event, select

from features.events.arrivals import take_day
from features.events.manifest import published
from features.events.publish import publish
from features.live.entry import Entry
from features.live.inbox import Inbox
from infra.database import engine
from infra.settings import Settings, load_settings
from infra.tables import inbox

FIRST = datetime(1999, 12, 1, tzinfo=UTC)
CHANGES = ("mkdir", "replace", "unlink", "rmdir")
ASKED = ((Engine, ("before_cursor_execute", "after_cursor_execute", "commit")), (Pool, ("connect", "checkin")))
#: Steps from one kill to the next; after one statement and before the next is the same, and the lake's own
#: steps have a test of their own, test_killed_anywhere.py.
STRIDES = {"export": 2, "lake": 8}


def day(number: int) -> date:
    return (FIRST + timedelta(days=number)).date()


# processes


def killed_at(kind: str, step: int) -> None:
    """Let this process die before its ``step``-th step of a kind: export (SQL, landing folders), lake (other files)."""
    steps = itertools.count(1)

    def count(of: str) -> None:
        if of == kind and next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **keywords: Any) -> Any:
            count("export" if "/landing/" in str(path) else "lake")
            return real(path, *arguments, **keywords)

        return call

    for name in CHANGES:
        setattr(os, name, counted(getattr(os, name)))
    for target, names in ASKED:
        for name in names:
            event.listen(target, name, lambda *_: count("export"))


def run(work: Callable[[], None], kind: str = "", step: int = 0) -> int:
    """Start a process that does ``work``, and is killed if a kind of step is given; its id."""
    child = os.fork()
    if child:
        return child
    try:
        if kind:
            killed_at(kind, step)
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def died(child: int) -> bool:
    """Wait until it is killed or done; anything else ends everything."""
    _, status = os.waitpid(child, 0)
    if status == signal.SIGKILL:
        return True
    if status != 0:
        raise SystemExit("A run failed.")
    return False


def done(work: Callable[[], None]) -> None:
    if died(run(work)):
        raise SystemExit("A run was killed that should not be.")


# what they do


@contextmanager
def database() -> Iterator[Engine]:
    found = engine(load_settings())
    try:
        yield found
    finally:
        found.dispose()


def mall(home: Path) -> Settings:
    return load_settings(home, clock="2000-02-01T00:00:00+00:00", late_days=100)


def empty(shop: Settings, days: int) -> None:
    """No row in the inbox; the shop's own files say that it was closed."""
    with database() as found, found.begin() as connection:
        connection.execute(delete(inbox))
    for number in range(days):
        marker = shop.lake.landing_day("canonical", day(number)) / "_CLOSED"
        marker.parent.mkdir(parents=True)
        marker.touch()


def batch(name: str) -> list[Entry]:
    """An event of each of three days."""
    return [entry(f"{name}-{number}", FIRST + timedelta(days=number, hours=9)) for number in range(3)]


def entry(event_id: str, moment: datetime) -> Entry:
    said = {"event_id": event_id, "item_id": "i", "event_type": "view", "occurred_at": moment.isoformat()}
    return Entry(event_id, "u", moment, said, frozenset())


def post(names: Sequence[str], told: Path) -> None:
    """File batches one after the other; each is told, in a file of lines, once it was answered with success."""
    with database() as found:
        for name in names:
            Inbox(found).file(batch(name), FIRST)
            with told.open("a") as lines:
                lines.write(f"{name}\n")


def take(shop: Settings, numbers: Sequence[int]) -> None:
    """Export, ingest and publish days."""
    with database() as found:
        for number in numbers:
            taken = take_day(shop, "canonical", day(number), found)
            publish(shop, [manifest.delivery_id for manifest in taken], gated=False)


def post_and_take(shop: Settings, told: Path) -> None:
    """Two days, the later one first, and before each a batch with rows of both and of the day after."""
    for name, number in (("a", 1), ("b", 0)):
        post([name], told)
        take(shop, [number])


def check(shop: Settings, told: Path) -> None:
    """Every committed row is in the log once, what was told is committed, batches are whole, accounts add up."""
    with database() as found, found.connect() as connection:
        committed = Counter(connection.scalars(select(inbox.c.event_id)))
    names = Counter(event_id.rsplit("-", 1)[0] for event_id in committed)
    assert set(names.values()) == {3}, names
    assert set(told.read_text().split()) <= set(names)
    logged: Counter[str] = Counter()
    for path in (shop.lake.root / "events").glob("dt=*/*.parquet"):
        logged.update(pq.ParquetFile(path).read()["event_id"].to_pylist())
    assert logged == committed
    manifests = list(published(shop.lake))
    for manifest in manifests:
        manifest.check_sum()
        assert manifest.duplicate == manifest.quarantined == 0
    assert sum(manifest.rows_in for manifest in manifests) == committed.total()
    for path in (shop.lake.root / "partitions").glob("*.json"):
        partition = json.loads(path.read_text())
        files = [shop.lake.events(date.fromisoformat(path.stem), one) for one in partition["deliveries"]]
        assert partition["rows"] == sum(pq.ParquetFile(file).metadata.num_rows for file in files)


# who is killed


def reader(folder: Path) -> int:
    """Kill a reader at each step, with a new lake each time; the next run does what is left, and all is there."""
    killed = 0
    for kind, stride in STRIDES.items():
        for step in itertools.count(1, stride):
            shop = mall(folder / f"{kind}-{step}")
            told = shop.home / "told"
            done(partial(empty, shop, 2))
            cut = died(run(partial(post_and_take, shop, told), kind, step))
            done(partial(post_and_take, shop, told))
            done(partial(check, shop, told))
            if not cut:
                break
            killed += 1
    return killed


def writer(folder: Path) -> int:
    """Kill a writer at each step while a reader takes a day, and kill every second reader as well."""
    shop = mall(folder)
    told = folder / "told"
    done(partial(empty, shop, 60))
    killed = 0
    for number in range(60):
        # new ids, and then an older batch again
        writing = run(partial(post, [f"w{number}", f"w{number // 2}"], told), "export", number + 1)
        reading = run(partial(take, shop, [number]), "export" if number % 2 else "", 1 + number % 29)
        cut = died(writing)
        killed += cut + died(reading)
        if not cut:
            break
    done(partial(take, shop, range(60)))
    done(partial(check, shop, told))
    return killed


if __name__ == "__main__":
    print({"reader": reader, "writer": writer}[sys.argv[1]](Path(sys.argv[2])))
