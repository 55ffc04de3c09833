"""Registry and ledger on a real PostgreSQL and a real MLflow server."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from infra.errors import PenchantError, RegistryError, ServiceError
from infra.ledger import Ledger
from infra.registry import Registry
from infra.settings import Settings
from infra.versions import CHALLENGER, CHAMPION, Versions

pytestmark = pytest.mark.integration

VERDICT = {"outcome": "promoted", "rules": [{"name": "beats_champion", "passed": True, "observed": 0.01}]}


def crash(registry: Registry, action: str, version: int, previous: int | None) -> None:
    """Leave behind what a process does that dies after its intent."""
    registry.ledger.intend(
        actor="dag",
        action=action,
        version=version,
        previous_version=previous,
        run_id="r",
        data_digest="d",
        reason="it won",
        verdict={},
    )


def serving(registry: Registry) -> int | None:
    """The champion, which ledger and alias must agree on."""
    champion = registry.champion()
    version = champion.version if champion else None
    assert registry.versions.holder(CHAMPION) == version
    return version


def test_nothing_serves_at_first(registry: Registry) -> None:
    assert registry.champion() is None
    assert registry.history() == []
    assert registry.reconcile() == []


def test_the_first_champion_is_seated_once(registry: Registry) -> None:
    first = registry.first_champion(1, "dag", "the best baseline")
    again = registry.first_champion(2, "dag", "another")

    assert again == first
    assert serving(registry) == 1
    assert (first.action, first.state, first.previous_version, first.data_digest) == (
        "first_champion",
        "confirmed",
        None,
        "d0",
    )


def test_promotion_moves_alias_and_ledger_and_keeps_the_verdict(registry: Registry) -> None:
    registry.first_champion(1, "dag", "the best baseline")
    registry.nominate(2)

    entry = registry.promote(2, "dag", "it won", verdict=VERDICT)

    assert serving(registry) == 2
    assert registry.versions.holder(CHALLENGER) is None
    assert (entry.previous_version, entry.verdict, entry.run_id) == (1, VERDICT, registry.versions.get(2).run_id)
    tags = registry.versions.get(2).tags
    assert tags["verdict_reason"] == "it won"
    assert "beats_champion" in tags["verdict"]


def test_promoting_what_serves_writes_nothing(registry: Registry) -> None:
    registry.first_champion(1, "dag", "the best baseline")
    first = registry.promote(2, "dag", "it won", judged_against=1)

    assert registry.promote(2, "dag", "it won", judged_against=1) == first
    assert len(registry.history()) == 2


def test_a_rejected_version_stays_challenger_and_is_told_once(registry: Registry) -> None:
    registry.first_champion(1, "dag", "the best baseline")
    registry.nominate(2)

    rejected = registry.reject(2, "dag", "it lost", verdict={"outcome": "rejected"})

    assert serving(registry) == 1
    assert registry.versions.holder(CHALLENGER) == 2
    assert registry.versions.get(2).tags["decision"] == "reject"
    assert registry.reject(2, "dag", "it lost", verdict={"outcome": "rejected"}) == rejected
    assert registry.reject(2, "dag", "it lost again", verdict={"outcome": "rejected", "n": 2}).id > rejected.id


def test_rolling_back_goes_down_the_stack(registry: Registry) -> None:
    registry.first_champion(1, "dag", "first")
    registry.promote(2, "dag", "second")
    registry.promote(3, "dag", "third")

    assert registry.rollback("ann", "it recommends umbrellas").version == 2
    assert serving(registry) == 2
    assert registry.rollback("ann", "that one too").version == 1
    assert serving(registry) == 1
    with pytest.raises(RegistryError, match="no champion before the present one"):
        registry.rollback("ann", "even that")
    assert registry.promote(3, "ann", "mended").previous_version == 1
    assert registry.rollback("ann", "no").data_digest == "d0"


@pytest.mark.parametrize("moved", [False, True])
def test_a_crash_after_the_intent_is_finished_by_the_next_decision(registry: Registry, moved: bool) -> None:
    registry.first_champion(1, "dag", "first")
    crash(registry, "promote", 2, 1)
    if moved:
        registry.versions.point(CHAMPION, 2)

    champion = registry.champion()
    assert champion is not None
    assert champion.version == 1  # until somebody finishes it, what was confirmed serves
    assert "was cut short and is now carried out" in registry.reconcile()[0]
    assert serving(registry) == 2
    assert registry.reconcile() == []
    assert registry.promote(2, "dag", "the retry of the task", judged_against=1).version == 2
    assert [entry.state for entry in registry.history()] == ["confirmed", "confirmed"]


def test_an_intent_whose_version_is_gone_fails(registry: Registry) -> None:
    registry.first_champion(1, "dag", "first")
    crash(registry, "promote", 99, 1)

    assert "cannot be carried out" in registry.reconcile()[0]
    assert serving(registry) == 1
    assert registry.history()[-1].state == "failed"


def test_the_ledger_wins_over_an_alias_moved_by_hand(registry: Registry) -> None:
    registry.first_champion(1, "dag", "first")
    registry.versions.point(CHAMPION, 3)

    assert registry.reconcile() == ["The alias champion pointed to 3; the ledger says 1."]
    assert serving(registry) == 1


def test_an_alias_without_a_ledger_is_taken_away(registry: Registry) -> None:
    registry.versions.point(CHAMPION, 3)

    registry.reconcile()

    assert serving(registry) is None


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(registry: Registry, tracked: Settings) -> None:
    registry.first_champion(1, "dag", "first")
    model, together = registry.ledger.model, threading.Barrier(2)
    said: dict[int, PenchantError | None] = {}

    def promote(version: int) -> None:
        with Registry(tracked, model) as own:
            together.wait()
            try:
                own.promote(version, f"thread {version}", "at once", judged_against=1)
                said[version] = None
            except RegistryError as error:
                said[version] = error

    threads = [threading.Thread(target=promote, args=(version,)) for version in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (winner,) = [version for version, error in said.items() if error is None]
    (told,) = [error for error in said.values() if error is not None]
    assert serving(registry) == winner
    assert f"by now {winner} serves" in told.what
    assert len(registry.history()) == 2


def test_who_waits_too_long_for_the_lock_is_told(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.ledger.WAIT_SECONDS", 1)
    with registry.ledger.alone(), pytest.raises(RegistryError, match="Somebody else"):
        registry.first_champion(1, "dag", "first")
    assert registry.history() == []


def test_an_unknown_version_is_named(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="no version 99"):
        registry.promote(99, "ann", "a typing error")
    assert registry.history() == []


def test_a_run_without_a_model_cannot_be_registered(registry: Registry, tracked: Settings) -> None:
    with pytest.raises(RegistryError, match="logged no model 'other'"):
        registry.register(registry.versions.get(1).run_id, "other", {})


def test_with_mlflow_down_nothing_is_decided_and_the_ledger_still_answers(
    registry: Registry, tracked: Settings
) -> None:
    registry.first_champion(1, "dag", "first")
    elsewhere = tracked.model_copy(update={"mlflow_port": tracked.airflow_port})
    with Registry(elsewhere, registry.ledger.model) as cut_off:
        champion = cut_off.champion()
        assert champion is not None
        assert champion.version == 1
        with pytest.raises(ServiceError, match="penchant up"):
            cut_off.promote(2, "dag", "it won")
    assert len(registry.history()) == 1


def test_mlflow_failing_while_the_alias_moves_marks_the_decision_failed(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.first_champion(1, "dag", "first")

    def fail(*_: object) -> None:
        raise ServiceError("MLflow failed.")

    with monkeypatch.context() as patch:
        patch.setattr(Versions, "point", fail)
        with pytest.raises(ServiceError):
            registry.promote(2, "dag", "it won")

    assert registry.history()[-1].state == "failed"
    assert serving(registry) == 1
    assert registry.promote(2, "dag", "again").version == 2


def test_a_bundle_is_fetched_once(registry: Registry, tracked: Settings, tmp_path: Path) -> None:
    elsewhere = Versions(tracked.model_copy(update={"home": tmp_path}), registry.ledger.model)

    folder = elsewhere.download(2)

    assert folder == tmp_path / "bundles" / "2"
    assert (folder / "bundle.json").read_text(encoding="utf-8") == "bundle 1"
    offline = tracked.model_copy(update={"home": tmp_path, "mlflow_port": tracked.airflow_port})
    assert Versions(offline, registry.ledger.model).download(2) == folder
    assert [path.name for path in folder.parent.iterdir()] == ["2"]


def test_versions_are_listed_oldest_first(registry: Registry) -> None:
    found = registry.versions.all()

    assert [(one.version, one.name) for one in found] == [(1, "m0"), (2, "m1"), (3, "m2")]


def test_a_ledger_without_a_server_says_so(settings: Settings) -> None:
    with Ledger(settings, "any") as ledger, pytest.raises(ServiceError, match="does not answer"):
        ledger.champion()
