"""``penchant promote``, ``rollback``, ``ledger``, ``evaluate`` and ``train`` as a person meets them."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from features.views import SERVICE
from infra.cli.main import build
from infra.errors import RegistryError, SettingsError, TrainingError
from infra.evaluations import EVALUATION, Evaluation, Measured, save_evaluation
from infra.registry import Registry
from infra.settings import Settings
from infra.tracking import client
from infra.versions import CHAMPION
from validation.model_gate import judge
from validation.skew_compare import Pair, compare
from validation.skew_report import SkewReport, write_report


def penchant(*arguments: str) -> Result:
    return CliRunner().invoke(build(), arguments)


@pytest.fixture
def registry(tracked: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Registry:
    """Two versions of a registered model of this test's own; the command line sees the same."""
    from mlflow.entities import LoggedModelOutput

    monkeypatch.setattr("infra.registry.MODEL_NAME", f"test-{uuid.uuid4().hex[:8]}")
    monkeypatch.setattr("infra.settings.load_settings", lambda *_: tracked)
    found, mlflow = Registry(tracked), client(tracked)
    for name in ("buy-again", "dien"):
        run_id = mlflow.create_run(experiment_id="0").info.run_id
        model = mlflow.create_logged_model(experiment_id="0", name="model", source_run_id=run_id)
        mlflow.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])
        found.register(run_id, "model", {"name": name, "kind": "model", "run": run_id, "data_digest": "d"})
    return found


@pytest.mark.integration
def test_a_person_promotes_rolls_back_and_reads_why(registry: Registry) -> None:
    with registry:
        registry.first_champion(1, "dag", "the best baseline")

        assert penchant("promote", "2", "--reason", "it looks better").stdout == "Version 2 serves now.\n"
        assert penchant("promote", "2", "--reason", "again").stdout == "Version 2 serves already.\n"
        assert registry.versions.holder(CHAMPION) == 2
        entry = json.loads(penchant("rollback", "--reason", "umbrellas everywhere", "--json").stdout)
        assert (entry["action"], entry["version"], entry["previous_version"]) == ("rollback", 1, 2)
        assert registry.versions.holder(CHAMPION) == 1
        listed = json.loads(penchant("ledger", "--json").stdout)
        assert [one["action"] for one in listed] == ["first_champion", "promote", "rollback"]
        assert listed[1]["verdict"] == {"outcome": "by hand"}
        shown = penchant("ledger", "--limit", "1").stdout
        assert "umbrellas" in shown
        assert "looks better" not in shown


@pytest.mark.integration
def test_what_cannot_be_done_is_said(registry: Registry) -> None:
    with registry:
        assert penchant("ledger").stdout == "Nothing has been decided yet.\n"
        assert isinstance(penchant("rollback", "--reason", "why not").exception, RegistryError)
        assert isinstance(penchant("promote", "9", "--reason", "a typing error").exception, RegistryError)
        assert isinstance(penchant("promote", "2", "--reason", " ").exception, SettingsError)
        assert registry.history() == []


@pytest.mark.parametrize("arguments", [("promote", "2"), ("promote", "0", "--reason", "x"), ("evaluate", "two")])
def test_arguments_that_do_not_make_sense_are_refused(arguments: tuple[str, ...]) -> None:
    assert penchant(*arguments).exit_code == 2


@pytest.mark.model
def test_a_model_that_does_not_exist_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.settings.load_settings", lambda *_: settings)

    error = penchant("train", "--model", "sien").exception

    assert isinstance(error, TrainingError)
    assert "Use one of: dien" in error.mend


def evaluation(gain: float) -> Evaluation:
    moments = [{"moment_id": f"m{place}", "user_id": f"u{place}"} for place in range(60)]

    def figures(value: float) -> pa.Table:
        rows = [{**moment, **dict.fromkeys(EVALUATION.names[2:], value)} for moment in moments]
        return pa.Table.from_pylist(rows, schema=EVALUATION)

    return Evaluation("e1", "fresh", Measured("dien", 2, figures(0.3 + gain)), Measured("top", 1, figures(0.3)), ())


def skewed(settings: Settings) -> SkewReport:
    """Write that of a day's answers one value was compared, and was not what the lake says."""
    moment = datetime(2010, 12, 10, 9, tzinfo=UTC)
    features = compare([Pair("u1", moment, {"cart_count_7d": 2}, [{"cart_count_7d": 1}])])
    made = SkewReport(
        day=moment.date(), made_at=moment, feature_service=SERVICE, samples=1, compared=1, behind=0, unseen=0,
        explained={}, values=1, different=1, limit=0.0, features=features,
    )  # fmt: skip
    write_report(settings.lake, made)
    return made


@pytest.mark.model
@pytest.mark.parametrize(
    ("gain", "skew", "code", "said"),
    [
        (0.05, False, 0, "promoted: dien v2, NDCG@10"),
        (-0.05, False, 3, "rejected: dien v2, NDCG@10"),
        (0.05, True, 3, "rejected: dien v2 cannot be promoted: answers are not what the lake says"),
    ],
)
def test_evaluate_shows_the_verdict_and_says_it_in_its_exit_code(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, gain: float, skew: bool, code: int, said: str
) -> None:
    def challenged(*_: object, **__: object) -> str:
        save_evaluation(settings.lake, evaluation(gain))
        return "e1"

    monkeypatch.setattr("infra.settings.load_settings", lambda *_: settings)
    monkeypatch.setattr("training.challenge.challenge", challenged)
    report = skewed(settings) if skew else None

    shown = penchant("evaluate", "2", "--strict")
    plain = penchant("evaluate", "2", "--json")

    assert shown.exit_code == code
    assert said in shown.stdout
    assert "top v1 (champion)" in shown.stdout
    assert plain.exit_code == 0
    assert json.loads(plain.stdout) == judge(evaluation(gain), settings, report).to_json()
