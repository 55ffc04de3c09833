"""``penchant demo``: a year of a real shop's logs, from raw files to recommendations, in one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from infra.airflow_api import AirflowApi
    from infra.cli.demo.progress import Stages
    from infra.cli.demo.sample import Landed
    from infra.settings import Settings

STAGES = 7


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    history_days: Annotated[
        int | None, typer.Option(min=60, help="Only so many days of history, for a quick look; all by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print demo.json at the end.")] = False,
) -> None:
    """Run a year of a real shop's logs through everything, and show what came out.

    Typed again, it says what it reuses. It stops the servers that it started; 'penchant up' starts
    them again, to click through.
    """
    from rich.console import Console

    from infra.cli.demo import progress, report
    from infra.cli.output import print_json
    from infra.lake import write_json

    settings = demo_settings()
    console = Console(stderr=as_json, soft_wrap=True)
    stages = progress.Stages(console, STAGES)
    run = _Run(settings, stages, console)
    with run.stack():
        landed = run.land(history_days)
        run.load_history(landed)
        run.back_up_days(landed)
        run.learn()
        answers = run.answer(landed)
        content = {
            **report.accounting(settings),
            "dag_runs": run.count(),
            **report.decision(settings),
            **report.answered(answers),
            "seconds": {**stages.seconds, "total": round(stages.elapsed, 1)},
        }
    write_json(settings.home / "demo.json", content)
    report.show(console, content, answers)
    _where_next(console, settings)
    if as_json:
        print_json(content)


def demo_settings() -> Settings:
    """The settings of the home folder; a new one gets a clock that starts where the sample ends."""
    from infra.cli.demo.sample import sample_end
    from infra.lake import written_aside
    from infra.settings import load_settings

    settings = load_settings()
    path: Path = settings.home / "settings.toml"
    if settings.clock == "wall" and not path.exists():
        with written_aside(path) as aside:
            clock = f"{sample_end().isoformat()}/{datetime.now(UTC).isoformat(timespec='seconds')}"
            aside.write_text(f'# The clock shows the first moment when the wall shows the second.\nclock = "{clock}"\n')
        settings = load_settings()
    return settings


@dataclass
class _Run:
    """One demo: its stages, in order."""

    settings: Settings
    stages: Stages
    console: Any
    airflow: AirflowApi | None = None

    @contextmanager
    def stack(self) -> Iterator[None]:
        """Start what does not run yet, and stop that again at the end."""
        from infra.airflow_api import AirflowApi
        from infra.orchestrator import USER, airflow_password, airflow_url
        from infra.parts import PARTS
        from infra.processes import running
        from infra.stack import start_stack, stop_stack

        was_up = all(running(self.settings, part) for part in PARTS)
        try:
            with self.stages.stage("start", "Start PostgreSQL, Valkey, Airflow, MLflow and the API") as say:
                start_stack(self.settings, report=lambda name, news: say(f"{name} {news}"))
                password = airflow_password(self.settings)
                self.airflow = AirflowApi(airflow_url(self.settings), USER, password)
                self._prepare_airflow(say)
            yield
        finally:
            if not was_up:
                stop_stack(self.settings)

    def land(self, history_days: int | None) -> Landed:
        from infra.cli.demo.sample import SAMPLE, land

        with self.stages.stage("land", f"Deliver the logs of the shop ({SAMPLE.name})"):
            return land(self.settings, history_days)

    def load_history(self, landed: Landed) -> None:
        from infra.cli.demo.scheduler import finish

        days = landed.history
        with self.stages.stage("history", f"Load {len(days)} days of history in one run") as say:
            if self._built(days):
                self._reuse(f"{len(days)} days of history are built")
                return
            airflow = self._airflow()
            run_id = airflow.trigger("load_history", {"start": str(days.start), "end": str(days.end)})
            finish(airflow, self.settings, "load_history", run_id, say)

    def back_up_days(self, landed: Landed) -> None:
        from infra.cli.demo.scheduler import back_up_days

        days = landed.days
        with self.stages.stage("days", f"Run the last {len(days)} days as daily partitions") as say:
            if self._built(days):
                self._reuse(f"{len(days)} daily partitions are built")
                return
            back_up_days(self._airflow(), days, say)

    def learn(self) -> None:
        from infra.cli.demo.report import decision
        from infra.cli.demo.scheduler import finish, next_run

        airflow = self._airflow()
        judged = len(airflow.runs("promote_model"))
        airflow.unpause("train_interest")
        with self.stages.stage("train", "Train the baselines and the model") as say:
            if known := decision(self.settings):
                self._reuse(f"version {known['model']['version']} serves, judged before")
            else:
                finish(airflow, self.settings, "train_interest", airflow.trigger("train_interest"), say)
        with self.stages.stage("judge", "Judge the model on the days that it has not seen") as say:
            if not known:
                run = next_run(airflow, "promote_model", judged, say)
                finish(airflow, self.settings, "promote_model", run.run_id, say)

    def answer(self, landed: Landed) -> Any:
        from infra.cli.demo.answers import ask, serves
        from infra.cli.demo.report import decision
        from infra.health import api_url

        address, champion = api_url(self.settings), decision(self.settings)["model"]["version"]
        with self.stages.stage("serve", "Ask for recommendations, post an event, ask again") as say:
            say(f"waiting for the API to serve version {champion}")
            self._airflow().wait(lambda: serves(address, champion), 120, "the API's change to the champion")
            return ask(address, self.settings, landed.days)

    def count(self) -> dict[str, dict[str, int]]:
        from infra.cli.demo.scheduler import count_runs

        return count_runs(self._airflow())

    def _prepare_airflow(self, say: Any) -> None:
        from infra.cli.demo.scheduler import DAGS, wait_for_dags

        airflow = self._airflow()
        wait_for_dags(airflow, say)
        for dag_id in DAGS:
            if dag_id != "train_interest":  # it would start after the history, without the last days
                airflow.unpause(dag_id)

    def _airflow(self) -> AirflowApi:
        if self.airflow is None:
            raise RuntimeError("the stack is not up")
        return self.airflow

    def _built(self, days: Any) -> bool:
        from features.days import built_days

        return set(days.days()) <= set(built_days(self.settings))

    def _reuse(self, what: str) -> None:
        self.console.print(f"   [dim]reused: {what}; delete {self.settings.home} to forget it[/]")


def _where_next(console: Any, settings: Settings) -> None:
    from infra.health import api_url, mlflow_url
    from infra.orchestrator import airflow_url

    console.print(
        f"Everything is also in {settings.home / 'demo.json'}. To click through it, type [bold]make up[/]:\n"
        f"  Airflow  {airflow_url(settings)}  (make up says how to log in)\n"
        f"  MLflow   {mlflow_url(settings)}\n"
        f"  API      {api_url(settings)}/docs"
    )
