"""``penchant features``: what is known about users and items, as a page in Markdown."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    app.command()(features)


def features() -> None:
    """Print every feature with its type, unit, definition and owner; docs/features.md is this page."""
    from features.page import features_page
    from infra.settings import load_settings

    typer.echo(features_page(load_settings()), nl=False)
