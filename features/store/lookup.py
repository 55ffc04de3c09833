"""What the online store knows: about users and items for an answer, and the statistics of all items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from features.events.schema import USER_ID
from features.store.asked import readers, require_asked, require_ids, require_zone
from features.store.fetch import Fetch
from features.store.item_stats import CatalogueStats, ItemStats
from features.store.rows import ViewRows
from features.views import views_of
from infra.errors import FeatureError
from infra.settings import Settings
from infra.valkey import valkey_address


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
class Known:
    """What is online about the entities that were asked for, as it holds at a moment.

    Attributes:
        rows: by view.
        through: T of the last day that is online.
        behind: how long before the moment that was: how stale every row is that did not change since.
    """

    rows: dict[str, ViewRows]
    through: datetime
    behind: timedelta


class Lookup:
    """Reads the online store of ``settings``; knows Feast's layout, and so does without importing Feast.

    Expiry goes by the moment that is asked for, the shop's, not by the wall clock.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._views = views_of(settings)
        self._readers = readers(self._views, ())
        self._fetch = Fetch(settings)
        self._stats = CatalogueStats(settings, self._fetch)

    def look_up(self, keys: Mapping[str, Sequence[str]], moment: datetime, features: Sequence[str] = ()) -> Known:
        """Everything about some users and items, in one round trip.

        Args:
            keys: by entity the ids: ``{"user_id": ["u1"], "item_id": candidates}``.
            moment: at which the rows are to hold.
            features: views, or ``view:feature``; all views of these entities where none is named.

        Raises:
            FeatureError: an entity, view or feature that does not exist, a view of entities that are not among the
                keys, an id that is no text, nothing is online, or only what came after the moment.
            ServiceError: Valkey does not answer in time.
        """
        require_zone(moment)
        require_ids(keys, self._views)
        wanted = readers(self._views, features) if features else self._readers
        if features:
            require_asked(keys, (reader.view for reader in wanted))
        through, found = self._fetch.columns(keys)
        if through is None:
            raise FeatureError(
                f"Nothing is online yet: Valkey at {valkey_address(self._settings)} has no watermark.",
                "Build and materialise a day first: with 'penchant ingest', or the DAG load_history.",
            )
        if moment < through:
            raise FeatureError(
                f"What was known at {moment} is not online any more: that goes through {through}.",
                "Ask features.store.point_in_time for what is past.",
            )
        rows = {
            reader.view.name: reader.rows(found[reader.view.entity], moment)
            for reader in wanted
            if reader.view.entity in found
        }
        return Known(rows, through, moment - through)

    def user(self, user_id: str, moment: datetime) -> dict[str, Any]:
        """The columns of all user views for ``features.state.from_row``; empty for an unknown user."""
        return self.user_row(user_id, moment).values

    def user_row(self, user_id: str, moment: datetime) -> UserRow:
        """``user``, and how old each view's row is; empty while nothing is online.

        Raises:
            FeatureError: the id is no text, or the moment has no time zone.
            ServiceError: the online store does not answer in time.
        """
        require_zone(moment)
        require_ids({USER_ID: [user_id]}, self._views)
        through, found = self._fetch.columns({USER_ID: [user_id]})
        values: dict[str, Any] = {}
        age: dict[str, timedelta] = {}
        for reader in self._readers if through else ():
            if reader.view.entity == USER_ID:
                rows = reader.rows(found[USER_ID], moment)
                if rows.age[0] is not None:
                    age[reader.view.name] = rows.age[0]
                if rows.holds[0]:
                    values |= {name: column[0] for name, column in rows.columns.items()}
        return UserRow(values, age)

    def item_stats(self, moment: datetime) -> ItemStats:
        """Windows and price of every item of the catalogue, for ``features.inputs.stats_table``.

        Windows are fetched once for each watermark; expired or missing ones are zero.
        """
        return self._stats.at(moment)

    def materialised_through(self) -> datetime | None:
        """The T through which everything is online; None before the first materialisation."""
        return self._fetch.materialised_through()
