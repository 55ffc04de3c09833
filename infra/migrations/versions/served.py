"""What a sample of the answers knew about their users."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "served"
down_revision = "gate_results"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "served",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moment", sa.DateTime(timezone=True), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", JSONB, nullable=False),
        sa.Column("feature_service", sa.Text, nullable=False),
        sa.Column("features", JSONB, nullable=False),
    )
    op.create_index("served_at", "served", ["at"])


def downgrade() -> None:
    op.drop_table("served")
