"""A small shop for the API's tests: 300 items, two users, a ranker in NumPy, and ways to break each part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
import redis
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine

from features.bundle import ITEM_TABLE, BundleMeta
from features.inputs import ATTENTION, CANDIDATE_STATS, CANDIDATE_USER, SCORE, SEQUENCE_ITEM, pair_columns
from features.live.intake import patient_for
from features.service import feature_versions, service_version
from features.views import views
from features.vocabulary import Vocabulary
from features.window_views import ITEM_WINDOWS
from infra.database import engine
from infra.errors import ServiceError
from infra.settings import Settings
from serving.app import create_app
from serving.ports import Parts
from serving.view import View

NOW = datetime(2010, 12, 10, 9, tzinfo=UTC)
AS_OF = datetime(2010, 12, 10, tzinfo=UTC)
DAY_US = 86_400_000_000
AS_OF_US = int(AS_OF.timestamp()) * 1_000_000
CATEGORIES = ("clock", "lamp", "mug")
ITEMS = tuple(f"i{number:03d}" for number in range(300))
CLOSED_PORT = 9  # nobody listens on discard


def category_of(item: str) -> str:
    return CATEGORIES[int(item[1:]) % 3]


def item_table() -> pa.Table:
    rows = [
        {"item_id": item, "title": f"{category_of(item)} {item}", "category": category_of(item), "price": 100 + place}
        for place, item in enumerate(ITEMS)
    ]
    return pa.Table.from_pylist(rows, schema=ITEM_TABLE)


def item_stats(settings: Settings) -> tuple[list[str], dict[str, list[int]]]:
    """The last item of all is the most popular, the one before it comes next."""
    view = next(view for view in views(settings.window_days, settings.half_life_days) if view.name == ITEM_WINDOWS)
    return list(ITEMS), {column: list(range(len(ITEMS))) for column in view.columns}


def row_of_regular(settings: Settings) -> dict[str, Any]:
    """A user who bought i001 (a lamp) three times, last 10 days ago, and i003 (a clock) once, 2 days ago."""
    lamp, clock = AS_OF_US - 10 * DAY_US, AS_OF_US - 2 * DAY_US
    return {
        "interest_categories": ["clock", "lamp"],
        **{f"interest_{days}d": [4.0, 12.0 * 2 ** (-8 / days)] for days in settings.half_life_days},
        "interest_as_of_us": clock,
        "sequence_items": ["i001", "i001", "i001", "i003"],
        "sequence_categories": ["lamp", "lamp", "lamp", "clock"],
        "sequence_types": ["purchase"] * 4,
        "sequence_times_us": [lamp, lamp, lamp, clock],
        "sequence_dwell_ms": [0] * 4,
        "sequence_gaps_us": [0, 0, 0, clock - lamp],
        "sequence_session_starts": [1, 0, 0, 1],
        "history_items": ["i003", "i001"],
        "history_times": [1, 3],
        "history_purchases": [1, 3],
        "history_last_us": [clock, lamp],
        "purchase_count_30d": 4,
    }


@dataclass
class MemoryStore:
    """The feature store's stand-in; ``error`` is what it says to everything."""

    settings: Settings
    rows: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    through: datetime | None = AS_OF
    error: Exception | None = None

    def user(self, user_id: str, _: datetime) -> Mapping[str, Any]:
        self._check()
        return self.rows.get(user_id, {})

    def item_stats(self, _: datetime) -> tuple[list[str], dict[str, list[int]]]:
        self._check()
        return item_stats(self.settings)

    def materialised_through(self) -> datetime | None:
        self._check()
        return self.through

    def _check(self) -> None:
        if self.error is not None:
            raise self.error


@dataclass
class NumpyRanker:
    """Buy-again in NumPy; attention falls on the last events. ``answers`` bends its scores."""

    settings: Settings
    name: str = "buy-again"
    answers: Callable[[np.ndarray], np.ndarray] = lambda scores: scores
    calls: list[tuple[int, ...]] = field(default_factory=list)

    @property
    def meta(self) -> BundleMeta:
        return bundle_meta(self.settings, self.name)

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary.of({item: category_of(item) for item in ITEMS})

    @property
    def items(self) -> pa.Table:
        return item_table()

    def score(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        names = pair_columns(self.settings.half_life_days)
        pair, stats = inputs[CANDIDATE_USER], inputs[CANDIDATE_STATS]
        scores = 10 * pair[:, :, names.index("purchases")] + pair[:, :, names.index("times")] + stats[:, :, 0] / 100
        self.calls.append(scores.shape)
        events = (inputs[SEQUENCE_ITEM] > 0).astype(np.float32) * np.arange(inputs[SEQUENCE_ITEM].shape[1])
        attention = np.repeat(events[:, None, :], scores.shape[1], axis=1)
        return {SCORE: self.answers(scores.astype(np.float32)), ATTENTION: attention.astype(np.float32)}


def bundle_meta(settings: Settings, name: str, kind: str = "baseline") -> BundleMeta:
    return BundleMeta(
        name=name,
        kind=kind,
        feature_service="interest_v1",
        feature_service_version=service_version(settings),
        features=feature_versions(settings),
        sequence_length=settings.sequence_length,
        window_days=settings.window_days,
        half_life_days=settings.half_life_days,
        history_items=settings.history_items,
        data_digest="d" * 64,
        snapshot_id="2010-12-02-abc",
        git_commit="c" * 40,
        created_at="2010-12-10T00:00:00+00:00",
    )


@dataclass(frozen=True)
class Seat:
    """An entry of the ledger, as far as the API reads it."""

    id: int
    version: int
    reason: str = "the best baseline"
    at: datetime = AS_OF


@dataclass
class MemoryRegistry:
    """The ledger's stand-in: ``seat`` says what serves, ``rankers`` what each version is."""

    rankers: dict[int, Any]
    seat: Seat | None
    error: Exception | None = None

    def champion(self) -> Seat | None:
        if self.error is not None:
            raise self.error
        return self.seat

    def download(self, version: int) -> Path:
        return Path(str(version))

    def load(self, folder: Path) -> Any:
        found = self.rankers[int(folder.name)]
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        self.seat = None


@dataclass
class Shop:
    """Everything around the API, to be changed by a test."""

    settings: Settings
    store: MemoryStore
    registry: MemoryRegistry
    items: Callable[[datetime], pa.Table] = lambda _: item_table()

    def connect(self, settings: Settings) -> Parts:
        """The real PostgreSQL and Valkey of ``settings``."""
        return self._parts(engine(settings), patient_for(settings, settings.api_timeout_ms))

    def without_postgres(self, settings: Settings) -> Parts:
        return self._parts(nowhere(), patient_for(settings, settings.api_timeout_ms))

    def without_valkey(self, settings: Settings) -> Parts:
        return self._parts(engine(settings), redis.Redis(port=CLOSED_PORT, retry=None))

    def without_servers(self, _: Settings) -> Parts:
        return self._parts(nowhere(), redis.Redis(port=CLOSED_PORT, retry=None))

    def _parts(self, database: Engine, valkey: redis.Redis) -> Parts:
        return Parts(self.store, self.registry, database, valkey, self.registry.load, self.items)


def nowhere() -> Engine:
    return create_engine(f"postgresql+psycopg2://nobody:x@127.0.0.1:{CLOSED_PORT}/none")


def shop_of(settings: Settings) -> Shop:
    store = MemoryStore(settings, {"regular": row_of_regular(settings)})
    return Shop(settings, store, MemoryRegistry({1: NumpyRanker(settings)}, Seat(1, 1)))


@pytest.fixture(scope="session")
def api_settings(services: Settings) -> Settings:
    """Of the session's real PostgreSQL and Valkey, at the shop's own moment."""
    return services.model_copy(update={"clock": NOW.isoformat(), "api_poll_seconds": 0.02})


@pytest.fixture(scope="session")
def make_shop(api_settings: Settings) -> Callable[[], Shop]:
    return lambda: shop_of(api_settings)


@pytest.fixture
def shop(make_shop: Callable[[], Shop]) -> Shop:
    return make_shop()


class Client(httpx.Client):
    """Talks to an API that runs in a thread of this process; ``app`` is that API."""

    app: FastAPI


Opened = Callable[..., AbstractContextManager[Client]]


@pytest.fixture(scope="session")
def opened() -> Opened:
    """``with opened(shop) as client``: the API behind a real server, and what serves is loaded."""

    @contextmanager
    def start(shop: Shop, connect: Callable[[Settings], Parts] | None = None) -> Iterator[Client]:
        app = create_app(shop.settings, connect or shop.connect)
        with running(app) as port, Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client:
            client.app = app
            until(lambda: view_of(app).looked)
            yield client

    return start


@contextmanager
def running(app: FastAPI) -> Iterator[int]:
    """Serve ``app`` from a thread; yields its port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(timeout=10)


@pytest.fixture(scope="session")
def running_app() -> Callable[[FastAPI], AbstractContextManager[int]]:
    return running


@pytest.fixture
def client(shop: Shop, opened: Opened) -> Iterator[Client]:
    with opened(shop) as client:
        yield client


def view_of(app: FastAPI) -> View:
    found: View = app.state.service.view
    return found


def until(happens: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until ``happens()`` is true."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def eventually() -> Callable[..., None]:
    return until


@pytest.fixture
def down() -> Exception:
    return ServiceError("It does not answer.", "Start it.")


@pytest.fixture
def ranker_of(api_settings: Settings) -> Callable[..., NumpyRanker]:
    """Another bundle: ``ranker_of(name="other", answers=...)``."""

    def make(**changes: Any) -> NumpyRanker:
        return replace(NumpyRanker(api_settings), **changes)

    return make


@pytest.fixture(scope="session")
def counted() -> Callable[[Client, str], float]:
    """What a counter shows, 0 while it shows nothing; ask by name and labels, as they are written."""

    def read(client: Client, name: str) -> float:
        lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
        return float(lines[0].rpartition(" ")[2]) if lines else 0.0

    return read


@pytest.fixture
def seat() -> type[Seat]:
    return Seat


@pytest.fixture(scope="session")
def problem_of() -> Callable[..., dict[str, Any]]:
    """Holds that an answer is a problem document of a status, and gives it back."""

    def check(answer: Any, status: int) -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        document: dict[str, Any] = answer.json()
        assert document["status"] == status
        assert document["type"] == "about:blank"
        assert document["title"]
        assert document["detail"]
        assert document["instance"] == f"urn:uuid:{answer.headers['x-request-id']}"
        assert "Traceback" not in answer.text
        return document

    return check
