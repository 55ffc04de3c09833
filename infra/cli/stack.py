"""``penchant up``, ``down`` and ``status``: the servers, Airflow, MLflow and the API in the background."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    for command in (up, down, status):
        app.command()(command)
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})(
        airflow
    )


def up(
    parts: Annotated[
        list[str] | None, typer.Argument(help="Only these of: airflow, mlflow, api. The two servers always run.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Start PostgreSQL, Valkey, Airflow, MLflow and the API in the background, and wait until they are well."""
    from infra.settings import load_settings
    from infra.stack import start_stack

    settings = load_settings()
    with _board(as_json) as report:
        start_stack(settings, chosen(parts), report)
    status(as_json)


def down(as_json: Json = False) -> None:
    """Stop everything that 'up' started; what is stored stays."""
    from infra.cli.output import print_json
    from infra.settings import load_settings
    from infra.stack import stop_stack

    with _board(as_json) as report:
        stopped = stop_stack(load_settings(), report)
    if as_json:
        print_json({"stopped": stopped})
    elif not stopped:
        typer.echo("Nothing was running.")


def status(as_json: Json = False) -> None:
    """Say what runs, where to click and how to log in, what the lake holds and what serves."""
    from infra import status as state
    from infra.cli.output import print_json
    from infra.settings import load_settings

    found = state.status(load_settings())
    if as_json:
        print_json(found)
    else:
        _show(found)


def airflow(context: typer.Context) -> None:
    """Airflow's own command line on this platform's Airflow, such as 'penchant airflow dags list'."""
    import os

    from infra.database import create_databases
    from infra.orchestrator import airflow_command, airflow_environment, prepare_airflow
    from infra.services import start_services
    from infra.settings import PROJECT, load_settings

    settings = load_settings()
    start_services(settings)
    create_databases(settings)
    prepare_airflow(settings)
    os.chdir(PROJECT)
    command = airflow_command(*context.args)
    os.execve(command[0], command, airflow_environment(settings))  # noqa: S606 (no shell is wanted)


def chosen(names: list[str] | None) -> tuple[str, ...]:
    """The parts that ``names`` stand for; all when there are none.

    Raises:
        SettingsError: a name that is none of ``airflow``, ``mlflow``, ``api`` or a part's own.
    """
    from infra.errors import SettingsError
    from infra.parts import AIRFLOW, PARTS

    if not names:
        return PARTS
    known = {"airflow": AIRFLOW, **{part: (part,) for part in PARTS}}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SettingsError(f"There is no part {', '.join(unknown)}.", "Use airflow, mlflow or api.")
    return tuple(dict.fromkeys(part for name in names for part in known[name]))


@contextmanager
def _board(quiet: bool) -> Iterator[Callable[[str, str], None]]:
    """Yield what prints one line of news with the time so far, below them what is still awaited."""
    from rich.console import Console

    console, begun = Console(stderr=quiet, quiet=quiet), time.monotonic()
    waiting: dict[str, None] = {}
    with console.status("PostgreSQL and Valkey …") as line:

        def report(name: str, news: str) -> None:
            waiting[name] = None
            if news != "starting":
                waiting.pop(name)
            console.print(f"[dim]{time.monotonic() - begun:6.1f} s[/]  {name} [green]{news}[/]")
            line.update(f"waiting for {', '.join(waiting)} …" if waiting else "…")

        yield report


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from infra.cli.output import styled

    table = Table(box=None, header_style="bold")
    for title in ("server", "state", "address"):
        table.add_column(title)
    for server in found["servers"]:
        table.add_row(server["name"], styled(server["state"]), server["address"])
    console = Console(soft_wrap=True)
    console.print(table)
    _show_more(console, found)


def _show_more(console: Console, found: dict[str, Any]) -> None:
    airflow, lake, champion = found["airflow"], found["lake"], found["champion"]
    console.print(
        f"Airflow log-in: user {airflow['user']}, password {airflow['password']} ({airflow['password_file']})"
    )
    days = f"{lake['closed_days']} closed days"
    console.print(f"Lake: {days}, {lake['first_day']} to {lake['last_day']}" if lake["closed_days"] else "Lake: empty")
    if champion == "unknown":
        console.print("Champion: unknown while PostgreSQL does not run")
        return
    serves = f"{champion['model']} version {champion['version']}, since {champion['since']}" if champion else "none yet"
    console.print(f"Champion: {serves}")
