"""The windows and prices of the whole catalogue, read once for each watermark."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.catalogue import catalogue
from features.events.schema import ITEM_ID, PRICE
from features.inputs import stat_columns
from features.store.fetch import Fetch
from features.store.rows import ViewReader
from features.views import views_of
from features.window_views import ITEM_WINDOWS
from infra.settings import Settings

Ints = NDArray[np.int64]
#: Item ids, and by column of ``features.inputs.stat_columns`` a value for each of them.
ItemStats = tuple[list[str], dict[str, Ints]]

#: Items that one round trip asks for.
_AT_ONCE: Final = 1000
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class _Fetched:
    """Item windows as they are online: ``age`` is that of each row at ``through``, in seconds; infinite without one."""

    through: datetime
    items: list[str]
    windows: dict[str, Ints]
    age: NDArray[np.float64]


class CatalogueStats:
    """Keeps the windows until the watermark or the catalogue is another."""

    def __init__(self, settings: Settings, fetch: Fetch) -> None:
        self._settings = settings
        self._fetch = fetch
        view = next(view for view in views_of(settings) if view.name == ITEM_WINDOWS)
        self._ttl = timedelta(days=view.ttl_days or 0)
        # whether a row still holds is asked at each moment anew
        self._reader = ViewReader(replace(view, ttl_days=None), view.features)
        self._names = [name for name in stat_columns(settings.window_days) if name != PRICE]
        self._fetched: _Fetched | None = None

    def at(self, moment: datetime) -> ItemStats:
        """Windows and price of every item of the catalogue; windows that are missing, expired or of later are zero.

        Raises:
            ServiceError: the online store does not answer in time.
        """
        items = catalogue(self._settings, moment)
        known = self._known(items[ITEM_ID].to_pylist())
        age = known.age + (moment - known.through).total_seconds()
        alive = (age >= 0) & (age <= (self._ttl.total_seconds() or np.finfo(np.float64).max))
        columns = {name: np.where(alive, values, 0) for name, values in known.windows.items()}
        prices = items[PRICE].fill_null(0).to_numpy().astype(np.int64)
        return known.items, {**columns, PRICE: prices}

    def _known(self, items: list[str]) -> _Fetched:
        through = self._fetch.materialised_through() or _NEVER
        if self._fetched is None or (self._fetched.through, self._fetched.items) != (through, items):
            self._fetched = self._read(through, items)
        return self._fetched

    def _read(self, through: datetime, items: list[str]) -> _Fetched:
        pieces = [items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE)]
        if through == _NEVER:
            pieces = []
        age = np.full(len(items), np.inf)
        windows = {name: np.zeros(len(items), dtype=np.int64) for name in self._names}
        for number, piece in enumerate(pieces):
            _through, found = self._fetch.columns({ITEM_ID: piece})
            # rows that are newer than the watermark count too: it moves when all of them are written
            rows = self._reader.rows(found[ITEM_ID], _LAST)
            place = slice(number * _AT_ONCE, number * _AT_ONCE + len(piece))
            age[place] = [_seconds(known, _LAST - through) for known in rows.age]
            for name, values in windows.items():
                values[place] = rows.columns[name]
        return _Fetched(through, items, windows, age)


def _seconds(age: timedelta | None, less: timedelta) -> float:
    return np.inf if age is None else (age - less).total_seconds()
