"""``penchant feast``: Feast's own command line on this platform's feature store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from infra.settings import Settings


def register(app: typer.Typer) -> None:
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})(
        feast
    )


def feast(context: typer.Context) -> None:
    """Feast's own command line on this platform's store, such as 'penchant feast feature-views list'."""
    import os
    import sys
    from pathlib import Path

    from features.store.configuration import feast_environment
    from features.store.repository import FEATURE_REPOSITORY
    from infra.children import child_environment
    from infra.database import create_databases
    from infra.services import start_services
    from infra.settings import load_settings

    settings = load_settings()
    start_services(settings)
    create_databases(settings)
    command = [str(Path(sys.executable).with_name("feast")), "--chdir", str(FEATURE_REPOSITORY), *context.args]
    environment = {**child_environment(settings), **feast_environment(settings), **_spark(settings)}
    os.execve(command[0], command, environment)  # noqa: S606


def _spark(settings: Settings) -> dict[str, str]:
    """What Feast needs to start a Spark itself; its folder is named after this process, which Feast will be."""
    import os
    import tempfile
    from pathlib import Path

    if settings.engine != "spark":
        return {}
    from features.engines.spark_home import variables

    settings.lake.spill.mkdir(parents=True, exist_ok=True)
    return variables(settings, Path(tempfile.mkdtemp(prefix=f"{os.getpid()}.", dir=settings.lake.spill)))
