"""The rows of a feature view, out of what is online about its entities, as they hold at a moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from features.store.decode import decoder
from features.store.keys import feature_field, moment_field
from features.store.wire import microseconds
from features.view import Feature, View
from infra.errors import FeatureError

#: By field of the hashes a value for each entity, None where it has none.
Columns = Mapping[bytes, Sequence[bytes | None]]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ViewRows:
    """What a view says about some entities, one value for each, in the order in which they were asked for.

    Attributes:
        columns: by feature the values; its default (``features.store.decode``) where no row holds.
        age: how long before the moment the row's T was, also of a row that holds no longer; None: there is no row.
        holds: whether there is a row that is no older than the view's ttl, and not from after the moment.
    """

    columns: dict[str, list[Any]]
    age: list[timedelta | None]
    holds: list[bool]


class ViewReader:
    """Reads some features of a view."""

    def __init__(self, view: View, features: Sequence[Feature]) -> None:
        self.view = view
        self._moment = moment_field(view.name)
        self._ttl = timedelta(days=view.ttl_days) if view.ttl_days else timedelta.max
        self._readers = {
            feature.name: (feature_field(view.name, feature.name), decoder(feature.kind)) for feature in features
        }

    def rows(self, columns: Columns, moment: datetime) -> ViewRows:
        """The rows in ``columns`` as they hold at ``moment``.

        Raises:
            FeatureError: what is online is of another kind than the view says.
        """
        now = (moment - _EPOCH) // timedelta(microseconds=1)
        age = [_age(said, now) for said in columns[self._moment]]
        holds = [known is not None and timedelta(0) <= known <= self._ttl for known in age]
        return ViewRows({name: self._column(name, columns, holds) for name in self._readers}, age, holds)

    def _column(self, name: str, columns: Columns, holds: Sequence[bool]) -> list[Any]:
        field, read = self._readers[name]
        try:
            if all(holds):
                return list(map(read, columns[field]))
            return [read(said if held else None) for said, held in zip(columns[field], holds, strict=True)]
        except ValueError as error:
            raise FeatureError(
                f"What is online as {self.view.name}:{name} is of another kind: {error}.",
                "Build and materialise the days of the view again.",
            ) from error


def _age(said: bytes | None, now: int) -> timedelta | None:
    return None if said is None else timedelta(microseconds=now - microseconds(said))
