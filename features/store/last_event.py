"""The push source ``events``, and the view on it that says what a user did last.

Past moments are answered from the published log. Online nothing is kept: the last event is read from the inbox, in
which every event is as soon as it was taken, by the API or by a push. So there is one truth, an older event that comes
late takes no newer one's place, and Valkey may lose what it holds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from feast import Entity, FeatureView, Field, PushSource
from feast.data_source import DataSource
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import String
from sqlalchemy import NullPool, create_engine, select
from sqlalchemy.dialects.postgresql import distinct_on

from features.events.schema import USER_ID
from features.last_event import COLUMN_OF, LAST_EVENT
from features.view import OWNER
from infra.tables import inbox

EVENTS: Final = "events"


def last_event_view(user: Entity, published: DataSource, fields: list[Field]) -> FeatureView:
    """``LAST_EVENT`` as Feast's, whose rows come by the push source ``EVENTS``.

    Args:
        fields: its features.
        published: the published log; its field mapping is ``COLUMN_OF`` the other way round.
    """
    source = PushSource(
        name=EVENTS,
        batch_source=published,
        description="Behaviour, as POST /v1/events takes it; the columns of features/events/schema.py.",
        owner=OWNER,
    )
    return FeatureView(
        name=LAST_EVENT.name,
        entities=[user],
        schema=[Field(name=USER_ID, dtype=String), *fields],
        source=source,
        online=False,  # nothing of it is ever materialised
        description=LAST_EVENT.description,
        owner=LAST_EVENT.owner,
        tags={"entity": USER_ID},
    )


def last_events(address: str, users: list[str]) -> list[tuple[datetime | None, dict[str, Any] | None]]:
    """For each user the moment and the features, as Feast's values, of the last event in the inbox; None: no event.

    Args:
        address: of the database that holds the inbox, with its password.

    Raises:
        OperationalError: PostgreSQL is down.
    """
    query = (
        select(inbox.c.user_id, inbox.c.occurred_at, inbox.c.payload)
        .where(inbox.c.user_id.in_(users))
        .ext(distinct_on(inbox.c.user_id))
        .order_by(inbox.c.user_id, inbox.c.occurred_at.desc(), inbox.c.position.desc())
    )
    database = create_engine(address, poolclass=NullPool, connect_args={"connect_timeout": 10})
    with database.connect() as connection:
        found = {row.user_id: (row.occurred_at, _values(row.payload)) for row in connection.execute(query)}
    return [found.get(user, (None, None)) for user in users]


def _values(payload: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(payload.get(column)) for name, column in COLUMN_OF.items()}


def _value(said: str | int | None) -> Any:
    if said is None:
        return Value()
    return Value(string_val=said) if isinstance(said, str) else Value(int64_val=said)
