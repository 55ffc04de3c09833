"""Pieces of the demo that can be tried alone; the whole of it is tests/dags/test_whole_loop.py."""

from __future__ import annotations

import json

import pytest

from infra.cli.demo.report import decision
from infra.cli.demo.sample import SPAN, land
from infra.errors import SettingsError
from infra.orchestrator import airflow_home, last_said
from infra.registry import Registry
from infra.settings import Settings


def test_a_home_begun_with_other_days_is_not_mixed_with_these(settings: Settings) -> None:
    landed = land(settings, 60)
    assert (len(landed.history), len(landed.days), landed.days.end) == (60, 7, SPAN.end)
    assert land(settings, 60) == landed
    with pytest.raises(SettingsError, match="begun with other days of history"):
        land(settings)


def test_what_a_task_said_last_is_read_from_its_newest_try(settings: Settings) -> None:
    assert last_said(settings, "d", "r", "t") == ""
    folder = airflow_home(settings) / "logs" / "dag_id=d" / "run_id=r" / "task_id=t"
    folder.mkdir(parents=True)
    for number in (2, 10):
        entries = [{"event": f"epoch {number}", "logger": "task.stdout"}, {"event": "noise", "logger": "task.stderr"}]
        lines = [*map(json.dumps, entries), '{"event": "half']
        (folder / f"attempt={number}.log").write_text("\n".join(lines))
    assert last_said(settings, "d", "r", "t") == "epoch 10"


@pytest.mark.integration
def test_the_demo_reports_a_champion_that_a_person_chose(registry: Registry, tracked: Settings) -> None:
    figures = {"ndcg_10": {"value": 0.3, "low": 0.2, "high": 0.4}}
    rival = {"model": "m0", "version": 1, "figures": figures}
    verdict = {
        "version": 2,
        "model": "m1",
        "outcome": "rejected",
        "reason": "no",
        "figures": figures,
        "comparisons": [rival],
    }
    assert decision(tracked, registry.ledger.model) == {}
    registry.first_champion(1, "dag", "first")
    registry.reject(2, "dag", "no", verdict=verdict)
    registry.promote(3, "ann", "it recommends umbrellas", verdict={"outcome": "by hand"})

    found = decision(tracked, registry.ledger.model)
    assert found["model"] == {"name": "m2", "version": 3, "alias": "champion"}
    assert (found["verdict"], found["metrics"]["model"], list(found["baselines"])) == ("rejected", "m1", ["m0"])
