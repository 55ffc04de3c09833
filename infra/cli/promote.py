"""``penchant promote``, ``rollback`` and ``ledger``: a person decides what serves, and everybody can see why."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from infra.ledger import Entry

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in a sentence; it stays in the ledger.")]


def register(app: typer.Typer) -> None:
    for command in (promote, rollback, ledger):
        app.command()(command)


def promote(
    version: Annotated[int, typer.Argument(min=1, help="Number of the registered version.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Let a version serve from now on, by a person's decision; the gate is not asked."""
    from infra.registry import Registry
    from infra.settings import load_settings

    with Registry(load_settings()) as registry:
        before = registry.champion()
        entry = registry.promote(version, _person(), _said(reason), verdict={"outcome": "by hand"})
    already = before is not None and before.id == entry.id
    _tell(entry, f"Version {version} serves already." if already else f"Version {version} serves now.", as_json)


def rollback(reason: Reason, as_json: Json = False) -> None:
    """Let the version before the present champion serve again."""
    from infra.registry import Registry
    from infra.settings import load_settings

    with Registry(load_settings()) as registry:
        entry = registry.rollback(_person(), _said(reason))
    _tell(entry, f"Version {entry.version} serves again, instead of {entry.previous_version}.", as_json)


def ledger(
    limit: Annotated[int, typer.Option(min=1, help="How many decisions, the latest.")] = 20, as_json: Json = False
) -> None:
    """Show who decided what about serving, when and why."""
    from infra.cli.output import print_json
    from infra.registry import Registry
    from infra.settings import load_settings

    with Registry(load_settings()) as registry:
        entries = registry.history()[-limit:]
    if as_json:
        print_json([asdict(entry) for entry in entries])
    elif entries:
        _show(entries)
    else:
        typer.echo("Nothing has been decided yet.")


def _person() -> str:
    import getpass

    return getpass.getuser()


def _said(reason: str) -> str:
    from infra.errors import SettingsError

    if not reason.strip():
        raise SettingsError(
            "The reason is empty.", "Say why in a sentence: --reason 'the new one recommends umbrellas'."
        )
    return reason.strip()


def _tell(entry: Entry, sentence: str, as_json: bool) -> None:
    from infra.cli.output import print_json

    if as_json:
        print_json(asdict(entry))
    else:
        typer.echo(sentence)


def _show(entries: list[Entry]) -> None:
    for entry in entries:
        before = f", before it {entry.previous_version}" if entry.previous_version is not None else ""
        typer.echo(f"{entry.at:%Y-%m-%d %H:%M}  {entry.action}: version {entry.version}{before}; {entry.state}")
        typer.echo(f"    {entry.actor}: {entry.reason}")
