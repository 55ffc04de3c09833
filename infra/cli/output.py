"""How the command line speaks: errors, JSON, and tables."""

from __future__ import annotations

import json
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from infra.errors import PenchantError

STYLES = {"ok": "green", "well": "green", "warn": "yellow", "ailing": "red", "fail": "red", "stopped": "dim"}


def complain(error: PenchantError) -> None:
    """What is wrong in red, how to mend it below, on standard error."""
    console = Console(stderr=True, soft_wrap=True)
    console.print(f"[red]{escape(error.what)}[/]")
    if error.mend:
        console.print(escape(error.mend))


def print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=2, default=str))


def styled(state: str) -> str:
    """The word for a state in its colour."""
    return f"[{STYLES.get(state, 'default')}]{state}[/]"
