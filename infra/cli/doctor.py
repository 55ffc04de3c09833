"""``penchant doctor``: does this machine have what it takes?"""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check this machine; exits 1 when something must be mended first."""
    from dataclasses import asdict

    from infra.cli.output import print_json
    from infra.doctor import examine
    from infra.settings import load_settings

    checks = examine(load_settings())
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            _print(check.state, check.name, check.what, check.mend)
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(1)


def _print(state: str, name: str, what: str, mend: str) -> None:
    from rich.console import Console
    from rich.markup import escape

    from infra.cli.output import styled

    console = Console(soft_wrap=True)
    console.print(f"{styled(state)}{' ' * (6 - len(state))}{name:<14} {escape(what)}")
    if mend:
        console.print(f"{' ' * 21}[dim]{escape(mend)}[/]")
