"""``penchant ingest PLACE``, with no option but the place, for a file of each published dataset's shape."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli.main import build
from infra.errors import ServiceError
from infra.settings import PROJECT

pytestmark = pytest.mark.integration

PUBLISHED = PROJECT / "tests" / "features" / "events" / "reading" / "published"


@pytest.mark.parametrize(
    ("place", "source", "accepted"),
    [
        ("retailrocket", "retailrocket", 5),
        ("taobao/UserBehavior.csv", "taobao-user-behavior", 5),
        ("rees46/*.csv", "rees46", 3),
        ("amazon_2018", "amazon-reviews", 2),
        ("amazon_2023", "amazon-reviews", 2),
        ("online_retail/first_year.csv", "online-retail", 2),
        ("online_retail/second_year.csv", "online-retail", 1),
        ("online_retail/without_codes.csv", "online-retail", 4),
        ("canonical", "canonical", 3),
    ],
)
def test_from_its_path_to_accepted_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, source: str, accepted: int
) -> None:
    monkeypatch.setenv("PENCHANT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PENCHANT_POSTGRES_URL", "postgresql://nobody:x@127.0.0.1:9")
    done = CliRunner().invoke(build(), ["ingest", str(PUBLISHED / place), "--json"])
    assert done.exit_code == 0, done.output
    [manifest] = json.loads(done.stdout)
    assert (manifest["source"], manifest["accepted"], manifest["gate"]["passed"]) == (source, accepted, True)
    assert list((tmp_path / "home" / "lake" / "events").glob("dt=*/*.parquet"))


def test_a_cosmetics_shop_takes_much_out_of_its_carts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PENCHANT_POSTGRES_URL", "postgresql://nobody:x@127.0.0.1:9")
    header, _view, *lines, _purchase = (PUBLISHED / "rees46" / "2019-Oct.csv").read_text().splitlines()
    cart, removed = lines
    log = tmp_path / "2019-Oct.csv"
    several = [(removed if n % 4 == 0 else cart).replace("554748717", f"{n}") for n in range(200)]
    log.write_text("\n".join([header, *several, ""]))
    done = CliRunner().invoke(build(), ["ingest", str(log), "--json"])
    assert done.exit_code == 0, done.output
    [manifest] = json.loads(done.stdout)
    assert (manifest["accepted"], manifest["quarantined_by_reason"]) == (150, {"removed_from_cart": 50})


def test_the_quarantine_from_list_to_drop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PENCHANT_POSTGRES_URL", "postgresql://nobody:x@127.0.0.1:9")

    def penchant(*arguments: str) -> str:
        done = CliRunner().invoke(build(), list(arguments))
        assert done.exit_code == 0, done.output
        return done.stdout

    penchant("ingest", str(PUBLISHED / "online_retail" / "second_year.csv"))
    listed = json.loads(penchant("quarantine", "list", "--json"))
    assert listed["reasons"] == {"not_a_product": 1, "price_not_positive": 1}
    row = f"{listed['rows'][0]['delivery_id']}:{listed['rows'][0]['position']}"
    assert f"{row}  second_year.csv" in penchant("quarantine", "list")
    shown = json.loads(penchant("quarantine", "show", row))
    assert shown["original"]["InvoiceNo"] == "C536379"
    assert "1  quarantined" in penchant("quarantine", "replay", "--row", row, "--reason", "let us see")
    assert "1 rows dropped" in penchant("quarantine", "drop", "--rule", "price_not_positive", "--reason", "a gift")
    assert json.loads(penchant("quarantine", "list", "--json"))["reasons"] == {"not_a_product": 1}
    states = [one["state"] for one in json.loads(penchant("quarantine", "list", "--all", "--json"))["rows"]]
    assert sorted(states) == ["dropped", "open", "replayed"]


def test_features_are_not_begun_without_their_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENCHANT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PENCHANT_POSTGRES_URL", "postgresql://nobody:x@127.0.0.1:9")
    with pytest.raises(ServiceError, match="Start it with 'penchant up'"):
        CliRunner().invoke(
            build(), ["ingest", str(PUBLISHED / "rees46"), "--features"], catch_exceptions=False, standalone_mode=False
        )
    assert not list((tmp_path / "home").rglob("*.parquet"))
