"""Alembic's environment: migrates over the connection that ``infra.database.migrate`` hands in."""

from __future__ import annotations

from alembic import context

from infra.tables import metadata


def run() -> None:
    """Run the migrations inside the caller's transaction."""
    context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
    context.run_migrations()


run()
