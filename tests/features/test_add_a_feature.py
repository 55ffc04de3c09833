"""What docs/add-a-feature.md says is enough: an entry in one file, derived or counted, and it is everywhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.settings import PROJECT

pytestmark = pytest.mark.integration

#: Of each file that the page names the last entry, after which the page's comes.
LAST = {
    "features/window_views.py": re.compile(r"( +)\*\(_days\(f\"{one\.name}_.*\n"),
    "features/day_counts.py": re.compile(r"( +)_sessions,\n +\),\n"),
}
FOLDERS = ("features", "infra", "training", "validation", "serving", "dags", "tests")
PROBE = """
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from features.build import build
from features.page import features_page
from features.state import from_row
from features.store.lookup import Lookup
from features.store.materialise import materialise
from features.store.point_in_time import user_rows
from infra.partitions import Span
from training.take import take

SPAN = Span(date(2011, 1, 3), date(2011, 1, 13))


def test_it_is_everywhere(services, shop_of, event_of):
    settings = services.model_copy(update={"fresh_days": 2, "validation_days": 2, "api_timeout_ms": 10_000})
    shop = shop_of(settings)
    shop.items({"i1": "mug"})
    kinds = ["view", "view", "cart", "view", "view", "view", "view", "view", "cart", "purchase"]
    days = list(SPAN.days())
    events = [event_of(settings, day, 9, event_id=str(day), event_type=kind, session_id=str(day), price=100, quantity=1)
              for day, kind in zip(days, kinds)]
    for day, times in ((days[1], 1), (days[5], 2), (days[9], 1)):
        events += [event_of(settings, day, 10 + place, event_id=f"{day}-{place}", event_type="search", item_id=None)
                   for place in range(times)]
    shop.publish(SPAN, events)
    build(settings, SPAN)
    expected = 1 / 5 - 2 / 7
    [row] = shop.rows("user_windows", SPAN)[days[-1]]
    assert row["cart_rate_change"] == expected
    counted = {f"searches_{length}d": count for length, count in zip(settings.window_days, (1, 3, 4), strict=True)}
    assert {name: row[name] for name in counted} == counted
    page = features_page(settings)
    assert "| `cart_rate_change` | float64 | share |" in page
    assert "| `searches_{1,7,30}d` | int64 | events | events of type search, last so many days |" in page

    materialise(settings, SPAN)
    moment = datetime(2011, 1, 13, 2, tzinfo=UTC)
    online = Lookup(settings).user("u1", moment)
    assert online["cart_rate_change"] == expected
    assert {name: online[name] for name in counted} == counted
    state = from_row("u1", online, settings.window_days, settings.half_life_days)
    assert state.windows["cart_rate_change"] == expected
    assert {name: state.windows[name] for name in counted} == counted
    asked = pa.table({"user_id": ["u1"], "event_timestamp": pa.array([moment], pa.timestamp("us", tz="UTC"))})
    past = user_rows(settings, asked)
    assert {name: past[name].to_pylist() for name in counted} == {name: [count] for name, count in counted.items()}
    assert past["cart_rate_change"].to_pylist() == [expected]
    moments = take(settings).moments
    assert moments["searches_7d"].to_pylist() == [3]
    [known] = moments["cart_rate_change"].to_pylist()
    assert known == 1 / 6 - 1 / 7  # of the day before yesterday: yesterday's row is known at one in the morning
"""


def test_an_entry_is_enough(tmp_path: Path) -> None:
    entries = re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "add-a-feature.md").read_text(), re.DOTALL)
    for folder in FOLDERS:
        shutil.copytree(PROJECT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    for (file, last), entry in zip(LAST.items(), entries, strict=True):
        text = (tmp_path / file).read_text()
        changed, count = last.subn(lambda found, entry=entry: f"{found.group()}{entry.strip()},\n", text)
        assert count == 1
        (tmp_path / file).write_text(changed)
    (tmp_path / "tests" / "features" / "test_probe.py").write_text(PROBE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/features/test_probe.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
