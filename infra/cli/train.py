"""``penchant train`` and ``penchant evaluate``: learn from the closed days, and measure a version on the fresh ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from training.run import TrainResult
    from validation.verdict import Verdict

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
LOST = 3
SHOWN = ("ndcg_10", "recall_10", "hit_10", "mrr")


def register(app: typer.Typer) -> None:
    for command in (train, evaluate):
        app.command()(command)


def train(
    through: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day to use; by default the last closed one.")
    ] = None,
    model: Annotated[str, typer.Option(help="Which model to fit.")] = "dien",
    as_json: Json = False,
) -> None:
    """Fit the baselines and the model, log them to MLflow, and register the model as challenger."""
    from infra.cli.output import print_json
    from infra.settings import load_settings

    with _news(as_json) as report:
        from training.run import train as fit_and_register

        result = fit_and_register(load_settings(), through.date() if through else None, model, report)
    if as_json:
        print_json(result.to_json())
    else:
        _show_training(result)


def evaluate(
    version: Annotated[int, typer.Argument(min=1, help="Number of the registered version.")],
    strict: Annotated[bool, typer.Option(help=f"Exit with {LOST} if the gate would reject it.")] = False,
    as_json: Json = False,
) -> None:
    """Measure a version on its fresh days beside the champion and the baselines; decides and records nothing."""
    from infra.cli.output import print_json
    from infra.evaluations import load_evaluation
    from infra.settings import load_settings

    settings = load_settings()
    with _news(as_json) as report:
        from features.views import SERVICE
        from training.challenge import challenge
        from validation.model_gate import judge
        from validation.skew_report import last_report

        evaluation_id = challenge(settings, version, seat=False, on_progress=report)
        skew = last_report(settings.lake, SERVICE)
        verdict = judge(load_evaluation(settings.lake, evaluation_id), settings, skew)
    if as_json:
        print_json(verdict.to_json())
    else:
        _show_verdict(verdict)
    if strict and not verdict.promoted:
        raise typer.Exit(LOST)


@contextmanager
def _news(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Yield what shows the present step, with the steps before it above."""
    from rich.console import Console

    console = Console(stderr=True, quiet=quiet)
    with console.status("loading …") as line:

        def report(step: str) -> None:
            console.log(step)
            line.update(step)

        yield report


def _show_training(result: TrainResult) -> None:
    from rich.console import Console

    console = Console(soft_wrap=True)
    figures = {name: one["metrics"] for name, one in result.figures.items()}
    _table(console, "Validation days (95 % interval)", figures)
    console.print(f"{result.model} is version {result.version}, {result.baseline} version {result.baseline_version}.")
    console.print(f"Judge it with: penchant evaluate {result.version}")


def _show_verdict(verdict: Verdict) -> None:
    from rich.console import Console
    from rich.markup import escape

    from infra.evaluations import named

    console = Console(soft_wrap=True)
    content = verdict.to_json()
    figures = {f"{verdict.model} v{verdict.version}": content["figures"]}
    for one in content["comparisons"]:
        figures[f"{named(one['model'], one['version'])} ({one['role']})"] = one["figures"]
    _table(console, "Fresh days (95 % interval)", figures)
    console.print(
        f"[{'green' if verdict.promoted else 'yellow'}]would be {verdict.outcome}[/]: {escape(verdict.reason)}"
    )


def _table(console: Any, title: str, figures: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    table.add_column("model", no_wrap=True)
    for name in SHOWN:
        table.add_column(name, justify="right")
    for model, metrics in figures.items():
        table.add_row(model, *(_cell(metrics.get(name)) for name in SHOWN))
    console.print(table)


def _cell(interval: Mapping[str, float] | None) -> str:
    return f"{interval['value']:.3f}\n[dim]{interval['low']:.3f}-{interval['high']:.3f}[/]" if interval else "-"
