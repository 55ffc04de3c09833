"""``penchant feast``: Feast's own command line on this platform's feature store."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})(
        feast
    )


def feast(context: typer.Context) -> None:
    """Feast's own command line on this platform's store, such as 'penchant feast feature-views list'."""
    import os
    import sys
    from pathlib import Path

    from features.store.repository import FEATURE_REPOSITORY, feast_environment
    from infra.children import child_environment
    from infra.database import create_databases
    from infra.services import start_services
    from infra.settings import load_settings

    settings = load_settings()
    start_services(settings)
    create_databases(settings)
    command = [str(Path(sys.executable).with_name("feast")), "--chdir", str(FEATURE_REPOSITORY), *context.args]
    os.execve(command[0], command, {**child_environment(settings), **feast_environment(settings)})  # noqa: S606
