"""What the cleaning policy says is done, counted, and done again in the same way."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from features.events.cleaning.policy import DEFAULT, load_policy
from features.events.ingest import ingest
from features.events.manifest import Manifest
from features.events.publish import publish
from infra.errors import SettingsError
from infra.partitions import Span
from infra.settings import Settings

pytestmark = pytest.mark.thorough  # seconds in sum

DAY = date(2010, 12, 1)
NOON = datetime(2010, 12, 1, 12, tzinfo=UTC)
VIEW = {"user_id": "u", "item_id": "i", "event_type": "view", "occurred_at": NOON.isoformat()}
BUY = {**VIEW, "event_type": "purchase"}
FULL_WIDTH = "\uff21\uff22\uff23"

Row = dict[str, Any]


@pytest.fixture
def cleaned(tmp_path: Path, make_settings: Any) -> Callable[..., tuple[Manifest, list[Row], Settings]]:
    """Take rows under a policy: the manifest, the events in the rows' order, and the shop."""

    def take(rows: list[Row], policy: Any = None, day: date = DAY) -> tuple[Manifest, list[Row], Settings]:
        keywords = {}
        if policy is not None:
            path = tmp_path / "policy.yaml"
            path.write_text(yaml.safe_dump(policy))
            keywords = {"cleaning": path}
        shop = make_settings(tmp_path / "home", clock="2010-12-10T01:00:00+00:00", **keywords)
        log = tmp_path / "log.jsonl"
        log.write_text("".join(json.dumps({**row, "source_position": n}) + "\n" for n, row in enumerate(rows)))
        now = datetime(2010, 12, 10, tzinfo=UTC)
        manifest = ingest(shop, "canonical", [log], Span.of_day(day), bulk=False, delivered_at=now)
        publish(shop, [manifest.delivery_id], gated=False)
        events = pq.ParquetFile(shop.lake.events(day, manifest.delivery_id)).read().to_pylist()
        return manifest, sorted(events, key=lambda event: event["source_position"]), shop

    return take


def column(**rules: Any) -> Row:
    return {"columns": rules}


def test_the_default_counts_money_and_clips_dwell(cleaned: Any) -> None:
    dwells = [1000 + n for n in range(200)] + [10**9]
    rows = [{**VIEW, "user_id": f"u{n}", "dwell_ms": dwell} for n, dwell in enumerate(dwells)]
    rows += [{**BUY, "quantity": None, "price": 5}]
    rows += [{**BUY, "quantity": 3, "price": 500 + n} for n in range(120)] + [{**BUY, "quantity": 90_000, "price": 5}]
    manifest, events, _ = cleaned(rows)
    limit = manifest.learned.limits["dwell_ms"]["view"]
    assert events[200]["dwell_ms"] == limit
    assert 1200 < limit < 30_000
    assert events[201]["quantity"] == 1
    assert events[-1]["quantity"] == 90_000
    assert manifest.cleaned == {"dwell_ms": {"clipped": 1}, "quantity": {"imputed": 1, "outlier": 1}}
    assert manifest.accepted == manifest.rows_in


def test_the_limit_is_median_and_mad_of_logarithms_by_type(cleaned: Any) -> None:
    rng = np.random.default_rng(7)
    views = rng.lognormal(8, 1, 300).astype(int).tolist()
    clicks = rng.lognormal(3, 2, 300).astype(int).tolist()
    rows = [{**VIEW, "dwell_ms": dwell} for dwell in views]
    rows += [{**VIEW, "event_type": "click", "dwell_ms": dwell} for dwell in clicks]
    manifest, _, _ = cleaned(rows, column(dwell_ms={"outliers": {"then": "clip", "deviations": 3}}))
    for kind, values in (("view", views), ("click", clicks)):
        logs = [float(np.log1p(value)) for value in values if value > 0]
        spread = 1.4826 * median(abs(value - median(logs)) for value in logs)
        wanted = np.expm1(median(logs) + 3 * max(spread, 0.5))
        assert manifest.learned.limits["dwell_ms"][kind] == int(wanted)


@pytest.mark.parametrize(
    ("then", "kept", "done"),
    [("keep", 10**7, "outlier"), ("clip", None, "clipped"), ("clear", None, "cleared"), ("drop", None, "")],
)
def test_what_becomes_of_an_outlier(cleaned: Any, then: str, kept: int | None, done: str) -> None:
    rows = [{**BUY, "price": 100, "quantity": 1}] * 100 + [{**BUY, "price": 10**7, "quantity": 1}]
    manifest, events, _ = cleaned(rows, column(price={"outliers": {"then": then}}))
    if then == "drop":
        assert manifest.quarantined_by_reason == {"price_outlier": 1}
        assert (len(events), manifest.cleaned) == (100, {})
        return
    limit = manifest.learned.limits["price"]["purchase"]
    assert events[-1]["price"] == (limit if then == "clip" else kept)
    assert manifest.cleaned == {"price": {done: 1}}


def test_few_rows_go_by_what_the_last_delivery_taught(cleaned: Any) -> None:
    policy = column(dwell_ms={"outliers": {"then": "clip", "rows": 50}})
    first, _, _ = cleaned([{**VIEW, "dwell_ms": 1000}] * 60, policy)
    late = {**VIEW, "dwell_ms": 10**8, "occurred_at": (NOON + timedelta(days=1)).isoformat()}
    second, [event], _ = cleaned([late], policy, DAY + timedelta(days=1))
    assert second.learned == first.learned
    assert event["dwell_ms"] == first.learned.limits["dwell_ms"]["view"]


def test_without_enough_rows_nothing_is_an_outlier(cleaned: Any) -> None:
    manifest, [event], _ = cleaned([{**VIEW, "dwell_ms": 10**8}])
    assert (event["dwell_ms"], manifest.cleaned) == (10**8, {})


@pytest.mark.parametrize(
    ("missing", "wanted"),
    [
        ({"then": "keep"}, [None, 4, None]),
        ({"then": "impute", "value": 7}, [7, 4, 7]),
        ({"then": "impute", "value": "median"}, [4, 4, None]),
        ({"then": "impute", "value": 7, "of": ["view"]}, [7, 4, None]),
    ],
)
def test_what_becomes_of_a_missing_value(cleaned: Any, missing: Row, wanted: list[Any]) -> None:
    rows = [VIEW, {**VIEW, "dwell_ms": 4}, {**VIEW, "event_type": "click"}]
    manifest, events, _ = cleaned(rows, column(dwell_ms={"missing": missing}))
    assert [event["dwell_ms"] for event in events] == wanted
    changed = sum(value is not None for value in wanted) - 1
    assert manifest.cleaned == ({"dwell_ms": {"imputed": changed}} if changed else {})


def test_a_row_without_a_value_may_be_dropped_into_the_quarantine(cleaned: Any) -> None:
    rows = [VIEW, {**VIEW, "session_id": "s"}, BUY]
    policy = column(session_id={"missing": {"then": "drop", "of": ["view"]}})
    manifest, events, shop = cleaned(rows, policy)
    assert manifest.quarantined_by_reason == {"session_id_missing": 1}
    assert [event["event_type"] for event in events] == ["view", "purchase"]
    [refused] = pq.ParquetFile(shop.lake.quarantine(manifest.delivery_id)).read().to_pylist()
    assert refused["reasons"] == ["session_id_missing"]
    assert json.loads(refused["original"])["user_id"] == "u"


def test_ids_do_not_depend_on_the_policy(cleaned: Any) -> None:
    rows = [{**VIEW, "dwell_ms": 1000 + n, "text": FULL_WIDTH} for n in range(100)] + [{**VIEW, "dwell_ms": 10**8}]
    _, plain, _ = cleaned(rows, {})
    again, _, _ = cleaned([*rows, BUY])
    assert (again.duplicate, again.accepted) == (len(plain), 1)


def test_taking_a_delivery_again_uses_what_it_taught_before(cleaned: Any, contents: Any) -> None:
    rows = [{**VIEW, "dwell_ms": 1000 + n} for n in range(150)]
    first, _, shop = cleaned(rows)
    before = contents(shop.lake.root)
    again, _, _ = cleaned(rows)
    assert (again.learned, contents(shop.lake.root)) == (first.learned, before)


def seconds(count: int, step: float, **more: Any) -> list[Row]:
    return [{**VIEW, "occurred_at": (NOON + timedelta(seconds=n * step)).isoformat(), **more} for n in range(count)]


def test_rates_that_no_human_reaches_are_flagged(cleaned: Any) -> None:
    rows = seconds(150, 0.3, user_id="fast") + seconds(150, 2, user_id="keen")
    rows += seconds(130, 0.1, user_id=None, session_id="crawler") + seconds(2100, 1.6, user_id="steady")
    rows += [{**row, "event_type": "purchase"} for row in seconds(300, 0.01, user_id="basket")]
    manifest, events, _ = cleaned(rows)
    flagged = {event["user_id"] or event["session_id"] for event in events if event["is_bot"]}
    assert flagged == {"fast", "crawler", "steady"}
    assert manifest.cleaned == {"is_bot": {"flagged": 150 + 130 + 2100}, "quantity": {"imputed": 300}}


def test_texts_are_written_one_way(cleaned: Any, shop: Settings) -> None:
    row = {**VIEW, "event_type": "review", "text": FULL_WIDTH, "title": " RED\u3000 MUG\u00a0", "brand": "\ufb01rst"}
    manifest, [event], mall = cleaned([row])
    [item] = pq.ParquetFile(mall.lake.items(manifest.delivery_id)).read().to_pylist()
    assert (event["text"], item["title"], item["brand"]) == ("ABC", "RED MUG", "first")
    assert manifest.cleaned == {name: {"rewritten": 1} for name in ("title", "brand", "text")}


@pytest.mark.parametrize("text", ["CAF\u00c9", "CAFE\u0301", "\u212b", "\ud55c\uae00", "\u1e9b\u0323", "\uff76\uff9e"])
def test_unicode_is_composed(cleaned: Any, shop: Settings, text: str) -> None:
    _, [event], _ = cleaned([{**VIEW, "event_type": "review", "text": text}])
    assert event["text"] == unicodedata.normalize("NFKC", text)


def test_texts_may_be_lower_case_and_segmented(cleaned: Any) -> None:
    policy = {"texts": {"title": {"case": "lower", "segment": True}}}
    manifest, _, mall = cleaned([{**VIEW, "title": "索尼无线降噪耳机 XM5"}], policy)
    [item] = pq.ParquetFile(mall.lake.items(manifest.delivery_id)).read().to_pylist()
    assert item["title"].split() == ["索尼", "无线", "降噪", "耳机", "xm5"]


def test_a_library_that_is_not_there_is_named(cleaned: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rjieba", None)
    with pytest.raises(SettingsError, match=r"rjieba is not installed.*uv sync --extra chinese"):
        cleaned([VIEW], {"texts": {"title": {"segment": True}}})


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"columns": {"weight": {}}}, "columns has no weight"),
        ({"columns": {"price": {"missing": {"then": "impute"}}}}, "columns.price.missing: .*impute needs a value"),
        ({"columns": {"price": {"missing": {"then": "guess"}}}}, "columns.price.missing.then"),
        ({"columns": {"text": {"missing": {"then": "impute", "value": 1}}}}, "only .* can be imputed"),
        ({"columns": {"rating": {"outliers": {}}}}, "columns.rating.outliers"),
        ({"columns": {"price": {"outliers": {"deviations": 0}}}}, "columns.price.outliers.deviations"),
        ({"texts": {"title": {"unicode": "NFX"}}}, "texts.title.unicode"),
        ({"bots": {"of": ["dance"]}}, "bots.of.0"),
        ({"rules": {}}, "rules"),
        (["columns"], "valid dictionary|object"),
    ],
)
def test_a_policy_without_sense_is_refused_by_part(cleaned: Any, policy: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        cleaned([VIEW], policy)


@pytest.mark.parametrize("content", [b"columns: [", b"\xff\xfe"])
def test_a_policy_that_cannot_be_read(tmp_path: Path, make_settings: Any, content: bytes) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"policy\.yaml cannot be read"):
        load_policy(make_settings(tmp_path / "home", cleaning=path))
    with pytest.raises(SettingsError, match="cannot be read"):
        load_policy(make_settings(tmp_path / "home", cleaning=tmp_path / "gone.yaml"))


def test_the_default_policy_names_every_part(make_settings: Any, tmp_path: Path) -> None:
    policy = load_policy(make_settings(tmp_path / "home"))
    assert set(yaml.safe_load(DEFAULT.read_text())) == set(policy.model_fields_set)


def test_a_log_that_knows_the_day_alone_has_no_rates(cleaned: Any) -> None:
    _, events, _ = cleaned([{**VIEW, "event_id": f"{n}", "occurred_at": "2010-12-01"} for n in range(300)])
    assert [event["is_bot"] for event in events] == [False] * 300


@pytest.mark.parametrize(
    ("column", "value"), [("quantity", 0), ("quantity", 1.5), ("price", 1e-7), ("rating", 50), ("quantity", 10**7)]
)
def test_what_is_imputed_must_be_what_a_row_could_say(cleaned: Any, column: str, value: float) -> None:
    policy = {"columns": {column: {"missing": {"then": "impute", "value": value}}}}
    with pytest.raises(SettingsError, match=f"columns.{column}.missing: .* would be refused in a row"):
        cleaned([VIEW], policy)


@pytest.mark.parametrize("content", ["x: 2010-99-99", "[" * 5000])
def test_a_policy_that_is_no_yaml_is_named(make_settings: Any, tmp_path: Path, content: str) -> None:
    (tmp_path / "policy.yaml").write_text(content)
    with pytest.raises(SettingsError, match=r"policy\.yaml cannot be read"):
        load_policy(make_settings(tmp_path / "home", cleaning=tmp_path / "policy.yaml"))


def test_a_limit_beyond_all_numbers_is_none(cleaned: Any) -> None:
    rows = [{**VIEW, "event_id": f"{n}", "dwell_ms": 10 ** (n % 9)} for n in range(150)]
    policy = {"columns": {"dwell_ms": {"outliers": {"then": "clip", "deviations": 100, "spread": 10}}}}
    manifest, events, _ = cleaned(rows, policy)
    assert (len(events), manifest.cleaned) == (150, {})
