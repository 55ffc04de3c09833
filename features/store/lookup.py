"""What the online store knows: one user's row for an answer, and the statistics of all items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.catalogue import catalogue
from features.events.schema import ITEM_ID, PRICE, USER_ID
from features.inputs import stat_columns
from features.store.materialise import materialised_through
from features.store.repository import open_store
from features.view import View
from features.views import SERVICE, views_of
from features.window_views import ITEM_WINDOWS
from infra.settings import Settings
from infra.valkey import valkey

if TYPE_CHECKING:
    from feast import FeatureStore

Ints = NDArray[np.int64]
#: Item ids, and by column of ``features.inputs.stat_columns`` a value for each of them.
ItemStats = tuple[list[str], dict[str, Ints]]

#: What Feast appends to a feature's name for the moment of its row, in seconds since 1970.
_MOMENT = "__ts"


@dataclass(frozen=True)
class UserRow:
    """A user's features that hold at a moment.

    Attributes:
        values: by column; those of expired or missing views are left out.
        age: by view, how long before the moment its row's T was; views without a row are left out,
            expired ones are not.
    """

    values: dict[str, Any]
    age: dict[str, timedelta]


@dataclass(frozen=True)
class _Fetched:
    """Item windows as they are online: ``at`` is the T of each row, seconds since 1970, 0 without one."""

    through: datetime
    items: list[str]
    windows: dict[str, Ints]
    at: Ints


class Lookup:
    """Reads the online store of ``settings``; opening it takes seconds, for it imports Feast.

    Expiry goes by the moment that is asked for, the shop's, not by the wall clock.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._views = {view.name: view for view in views_of(settings)}
        self._valkey = valkey(settings)
        self._filled = False
        self._fetched: _Fetched | None = None

    def user(self, user_id: str, moment: datetime) -> dict[str, Any]:
        """The columns of all user views for ``features.state.from_row``; empty for an unknown user."""
        return self.user_row(user_id, moment).values

    def user_row(self, user_id: str, moment: datetime) -> UserRow:
        """``user``, and how old each view's row is; one call to the online store.

        Raises:
            redis.RedisError: the online store does not answer in time.
        """
        self._filled = self._filled or self.materialised_through() is not None
        if not self._filled:
            return UserRow({}, {})
        found = self._read(self._service, {USER_ID: [user_id]})
        values: dict[str, Any] = {}
        age: dict[str, timedelta] = {}
        for view in self._user_views:
            seconds = found[f"{view.columns[0]}{_MOMENT}"][0]
            if seconds:
                age[view.name] = moment - datetime.fromtimestamp(seconds, UTC)
                if _holds(view, age[view.name]):
                    values |= {column: found[column][0] for column in view.columns}
        return UserRow(values, age)

    def item_stats(self, moment: datetime) -> ItemStats:
        """Windows and price of every item of the catalogue, for ``features.inputs.stats_table``.

        Windows are fetched once for each watermark; expired or missing ones are zero.
        """
        items = catalogue(self._settings, moment)
        windows = self._windows(items[ITEM_ID].to_pylist())
        ttl = self._views[ITEM_WINDOWS].ttl_days
        alive = windows.at >= (moment - timedelta(days=ttl)).timestamp() if ttl else windows.at > 0
        columns = {name: np.where(alive, values, 0) for name, values in windows.windows.items()}
        prices = items[PRICE].fill_null(0).to_numpy().astype(np.int64)
        return windows.items, {**columns, PRICE: prices}

    def materialised_through(self) -> datetime | None:
        """The T through which everything is online; None before the first materialisation."""
        return materialised_through(self._valkey)

    def _windows(self, items: list[str]) -> _Fetched:
        through = self.materialised_through() or datetime.min.replace(tzinfo=UTC)
        if self._fetched is None or (self._fetched.through, self._fetched.items) != (through, items):
            self._fetched = self._fetch(through, items)
        return self._fetched

    def _fetch(self, through: datetime, items: list[str]) -> _Fetched:
        names = [name for name in stat_columns(self._settings.window_days) if name != PRICE]
        if not items or through == datetime.min.replace(tzinfo=UTC):
            empty = np.zeros(len(items), dtype=np.int64)
            return _Fetched(through, items, dict.fromkeys(names, empty), empty)
        found = self._read([f"{ITEM_WINDOWS}:{name}" for name in names], {ITEM_ID: items})
        windows = {name: np.array([value or 0 for value in found[name]], dtype=np.int64) for name in names}
        return _Fetched(through, items, windows, np.array(found[f"{names[0]}{_MOMENT}"], dtype=np.int64))

    def _read(self, features: Any, entities: Mapping[str, Sequence[str]]) -> dict[str, list[Any]]:
        response = self._store.get_online_features(features, entities)
        return dict(response.to_dict(include_event_timestamps=True))

    @property
    def _user_views(self) -> list[View]:
        return [view for view in self._views.values() if view.entity == USER_ID]

    @cached_property
    def _store(self) -> FeatureStore:
        return open_store(self._settings, self._settings.api_timeout_ms / 1000)

    @cached_property
    def _service(self) -> Any:
        return self._store.get_feature_service(SERVICE)


def _holds(view: View, age: timedelta) -> bool:
    return view.ttl_days is None or age <= timedelta(days=view.ttl_days)
