"""What the partition gate found, one row a delivery and rule."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "gate_results"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gate_results",
        sa.Column("delivery_id", sa.Text, primary_key=True),
        sa.Column("suite", sa.Text, primary_key=True),
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("span_end", sa.Date, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("suite_version", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("success", sa.Boolean, nullable=False),
        sa.Column("observed", JSONB),
        sa.Column("failing", sa.BigInteger),
        sa.Column("rows", sa.BigInteger),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )
    op.create_index("gate_results_rule_day", "gate_results", ["rule", "day"])


def downgrade() -> None:
    op.drop_table("gate_results")
