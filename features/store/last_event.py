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
from feast.types import Int64, String
from sqlalchemy import NullPool, create_engine, select
from sqlalchemy.dialects.postgresql import distinct_on

from features.events.schema import DWELL_MS, EVENT_ID, EVENT_TYPE, ITEM_ID, PRICE, QUANTITY, USER_ID
from features.view import MILLISECONDS, MONEY, OWNER
from infra.tables import inbox

#: By feature the column of the event. Names of their own: an item's id is an entity elsewhere.
COLUMN_OF: Final = {f"last_{name}": name for name in (EVENT_ID, EVENT_TYPE, ITEM_ID, DWELL_MS, QUANTITY, PRICE)}
EVENTS: Final = "events"
USER_LAST_EVENT: Final = "user_last_event"

_TOLD: Final = {
    "last_event_id": (String, "id of the event"),
    "last_event_type": (String, "what the user did"),
    "last_item_id": (String, "its item; null for a login or a search"),
    "last_dwell_ms": (Int64, f"dwell time ({MILLISECONDS}); null when unknown"),
    "last_quantity": (Int64, "pieces; null without any"),
    "last_price": (Int64, f"price of one piece ({MONEY}); null when unknown"),
}


def last_event_view(user: Entity, published: DataSource) -> FeatureView:
    """The view, whose rows come by the push source ``EVENTS``.

    Args:
        published: the published log; its field mapping is ``COLUMN_OF`` the other way round.
    """
    source = PushSource(
        name=EVENTS,
        batch_source=published,
        description="Behaviour, as POST /v1/events takes it; the columns of features/events/schema.py.",
        owner=OWNER,
    )
    fields = [Field(name=name, dtype=kind, description=told) for name, (kind, told) in _TOLD.items()]
    return FeatureView(
        name=USER_LAST_EVENT,
        entities=[user],
        schema=[Field(name=USER_ID, dtype=String), *fields],
        source=source,
        online=False,  # nothing of it is ever materialised
        description="The user's last event; online, while the inbox holds it (keep_inbox_days).",
        owner=OWNER,
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
