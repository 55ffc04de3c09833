"""``penchant skew`` as a person types it, and the daily task: both fail on a skew, and say where to look."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import delete

from dags import steps
from infra.database import engine, server_url
from infra.errors import FeatureError, SkewError
from infra.served import Served, keep
from infra.settings import Settings, load_settings
from infra.tables import served

pytestmark = pytest.mark.integration

DAY = date(2013, 12, 1)
MOMENT = datetime(2013, 12, 1, 9, tzinfo=UTC)
LINE = "i1,view,2013-12-01 08:26:00"
CLOCK = "2013-12-02T06:00:00+00:00"

Penchant = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def shop(services: Settings, tmp_path: Path, typed: Penchant) -> Iterator[Settings]:
    """One closed day and no features: whoever asked on it was unknown."""
    url = SecretStr(server_url(services).render_as_string(hide_password=False))
    found = load_settings(tmp_path / "home", postgres_url=url, clock=CLOCK)
    log = tmp_path / "log.csv"
    log.write_text(f"item_id,event_type,occurred_at\n{LINE}\n")
    done = typed("ingest", str(log), "--source", "canonical", "--day", str(DAY), **at(found))
    assert done.returncode == 0, done.stderr
    yield found
    database = engine(services)
    with database.begin() as connection:
        connection.execute(delete(served))
    database.dispose()


@pytest.fixture
def penchant(shop: Settings, typed: Penchant) -> Penchant:
    return partial(typed, **at(shop))


def at(settings: Settings) -> dict[str, str]:
    url = server_url(settings).render_as_string(hide_password=False)
    return {"PENCHANT_HOME": str(settings.home), "PENCHANT_CLOCK": CLOCK, "PENCHANT_POSTGRES_URL": url}


def answered(settings: Settings, **changed: Any) -> None:
    """Keep what an answer about an unknown user knew, with some values changed."""
    from features.state import from_row
    from features.state_table import values_of

    state = from_row("ann", {}, settings.window_days, settings.half_life_days)
    as_of = datetime(2013, 12, 1, tzinfo=UTC)
    database = engine(settings)
    keep(
        database,
        settings,
        Served("r-1", "ann", MOMENT, MOMENT, as_of, [], "interest_v1", {**values_of(state), **changed}),
    )
    database.dispose()


def test_without_answers_there_is_nothing_to_compare_and_nothing_wrong(shop: Settings, penchant: Penchant) -> None:
    done = penchant("skew")
    assert (done.returncode, done.stderr) == (0, "")
    page = shop.lake.skew(DAY).with_suffix(".md")
    assert done.stdout.splitlines() == ["2013-12-01: nothing compared; kept: 0 answers.", str(page)]
    assert page.exists()


def test_an_answer_that_is_right_exits_0_and_a_wrong_one_1(shop: Settings, penchant: Penchant) -> None:
    answered(shop, today_view=2, interest_categories=["mug"])
    done = penchant("skew", "--day", str(DAY), "--json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert (report["skewed"], report["compared"], report["different"]) == (True, 1, 2)
    wrong = {one["feature"]: one["absolute"] for one in report["features"] if one["different"]}
    assert wrong == {"today_view": 2, "interest_categories": None}
    assert json.loads(shop.lake.skew(DAY).read_text()) == report

    database = engine(shop)
    with database.begin() as connection:
        connection.execute(delete(served))
    database.dispose()
    answered(shop)
    done = penchant("skew")
    assert done.returncode == 0, done.stderr
    assert "of 1 answer compared" in done.stdout
    assert "all as the lake says" in done.stdout


def test_the_daily_task_fails_with_the_features_and_the_report(shop: Settings) -> None:
    answered(shop)
    assert steps.require_consistent(shop, steps.check_skew(shop)) == "reports/skew/2013-12-01.json"
    database = engine(shop)
    with database.begin() as connection:
        connection.execute(delete(served))
    database.dispose()
    answered(shop, today_view=2)
    report = steps.check_skew(shop, DAY)
    with pytest.raises(SkewError, match=r"today_view \(1\).*2013-12-01\.md"):
        steps.require_consistent(shop, report)
    tolerant = shop.model_copy(update={"skew_limit": 0.5})
    assert steps.require_consistent(tolerant, steps.check_skew(tolerant, DAY))


def test_a_day_that_is_not_closed_is_told(shop: Settings, penchant: Penchant, tmp_path: Path) -> None:
    done = penchant("skew", "--day", "2013-12-02")
    assert (done.returncode, done.stdout) == (1, "")
    assert "not closed: 2013-12-02" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    with pytest.raises(FeatureError, match="No day is closed yet"):
        steps.check_skew(shop.model_copy(update={"home": tmp_path / "new"}))
