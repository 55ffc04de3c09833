"""``penchant validate``: the gate once more over what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.days import METAVAR, span_of

if TYPE_CHECKING:
    from validation.gate_result import GateResult

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
REFUSED = 1


def register(app: typer.Typer) -> None:
    app.command()(validate)


def validate(
    days: Annotated[str, typer.Argument(metavar=METAVAR, help="A closed day, or several up to before END.")],
    docs: Annotated[bool, typer.Option("--docs", help="Build one site of data docs for all of them.")] = False,
    as_json: Json = False,
) -> None:
    """Hold the published deliveries of some days against today's rules; exits with 1 if a critical one is broken."""
    from infra.cli.output import print_json
    from infra.settings import load_settings

    settings, span = load_settings(), span_of(days)
    from validation.again import check_again  # takes seconds, which a wrong day need not wait for

    results, page = check_again(settings, span, docs=docs)
    path = str(settings.lake.root / page) if page else None
    if as_json:
        print_json({"deliveries": [result.model_dump(mode="json") for result in results], "docs": path})
    else:
        _show(results, path)
    if any(not result.passed for result in results):
        raise typer.Exit(REFUSED)


def _show(results: list[GateResult], page: str | None) -> None:
    for result in results:
        typer.echo(f"{result.delivery_id}, {result.span}: {'passed' if result.passed else 'FAILED'}")
        for name in (*result.failed, *result.warnings):
            typer.echo(f"  {_told(result, name)}")
    if page:
        typer.echo(f"Data docs: {page}")


def _told(result: GateResult, name: str) -> str:
    rule = next(rule for rule in result.rules if rule.rule == name)
    found = f"{rule.failing:,} of {rule.rows:,} rows" if rule.rows and rule.failing is not None else rule.observed
    return f"{rule.severity:<8} {name}: {found}"
