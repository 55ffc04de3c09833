"""The ledger, append-only but for its state, and the inbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# a row may change in its state alone; compared as a whole, so that a column added later is guarded too
GUARD = """
CREATE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - 'state' = to_jsonb(OLD) - 'state' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the ledger is append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ledger_rows BEFORE UPDATE OR DELETE ON ledger
    FOR EACH ROW EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER ledger_whole BEFORE TRUNCATE ON ledger
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
"""


def upgrade() -> None:
    _ledger()
    _inbox()
    op.execute(GUARD)


def downgrade() -> None:
    op.drop_table("inbox")
    op.drop_table("ledger")
    op.execute("DROP FUNCTION ledger_append_only()")


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("previous_version", sa.Integer),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("data_digest", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("verdict", JSONB, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.CheckConstraint("action IN ('first_champion', 'promote', 'reject', 'rollback')", name="ledger_action_known"),
        sa.CheckConstraint("state IN ('intent', 'confirmed', 'failed')", name="ledger_state_known"),
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("event_id", sa.Text, nullable=False, unique=True),
        sa.Column("user_id", sa.Text),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("payload", JSONB, nullable=False),
    )
    op.create_index("inbox_user_occurred", "inbox", ["user_id", "occurred_at"])
    op.create_index("inbox_occurred", "inbox", ["occurred_at"])
