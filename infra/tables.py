"""The platform's own tables, in the database ``penchant``: ledger, inbox, what the gate found, what was served."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, Index, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ACTIONS = ("first_champion", "promote", "reject", "rollback")
STATES = ("intent", "confirmed", "failed")


class Base(DeclarativeBase):
    """All tables share one metadata; a timestamp always knows its zone."""

    type_annotation_map = {datetime: DateTime(timezone=True), str: Text, dict[str, Any]: JSONB}  # noqa: RUF012


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"ledger_{column}_known")


class LedgerEntry(Base):
    """One decision about what serves. Only ``state`` may change later; nothing is ever deleted.

    The last confirmed entry of ``first_champion``, ``promote`` or ``rollback`` says what serves.
    """

    __tablename__ = "ledger"
    __table_args__ = (_one_of("action", ACTIONS), _one_of("state", STATES))

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]
    action: Mapped[str]
    model: Mapped[str]
    version: Mapped[int]
    previous_version: Mapped[int | None]
    run_id: Mapped[str]
    data_digest: Mapped[str]
    reason: Mapped[str]
    verdict: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str]


class InboxEvent(Base):
    """One event that the API took and the lake has yet to ingest; ``position`` is its order of arrival."""

    __tablename__ = "inbox"
    __table_args__ = (
        Index("inbox_user_occurred", "user_id", "occurred_at"),
        Index("inbox_occurred", "occurred_at"),
    )

    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event_id: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[str | None]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)


class GateRow(Base):
    """What one rule of the partition gate found in one published delivery.

    The delivery's manifest is the truth, and this its mirror: to be asked over many days at once.
    """

    __tablename__ = "gate_results"
    __table_args__ = (Index("gate_results_rule_day", "rule", "day"),)

    delivery_id: Mapped[str] = mapped_column(primary_key=True)
    suite: Mapped[str] = mapped_column(primary_key=True)
    rule: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date]
    span_end: Mapped[date]
    source: Mapped[str]
    suite_version: Mapped[str]
    severity: Mapped[str]
    success: Mapped[bool]
    observed: Mapped[Any] = mapped_column(JSONB(none_as_null=True), nullable=True)
    failing: Mapped[int | None] = mapped_column(BigInteger)
    rows: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class ServedRow(Base):
    """What one sampled answer knew about its user.

    ``at``: the shop's clock; ``moment``: what is known strictly before it, not before ``at``; ``as_of``: the end of
    the last closed day that was online; ``seen``: positions in the inbox of the later events that were seen.
    """

    __tablename__ = "served"
    __table_args__ = (Index("served_at", "at"),)

    request_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str]
    at: Mapped[datetime]
    moment: Mapped[datetime]
    as_of: Mapped[datetime]
    seen: Mapped[list[int]] = mapped_column(JSONB)
    feature_service: Mapped[str]
    features: Mapped[dict[str, Any]] = mapped_column(JSONB)


metadata = Base.metadata
ledger = cast("Table", LedgerEntry.__table__)
inbox = cast("Table", InboxEvent.__table__)
gate_results = cast("Table", GateRow.__table__)
served = cast("Table", ServedRow.__table__)
