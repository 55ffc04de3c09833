"""The page: complete in itself, true to what it shows, safe with any text, the same each time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import date, timedelta
from html.parser import HTMLParser
from typing import Any

import matplotlib
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.events.schema import EVENT_TYPES
from infra.lake import read_json, write_json
from infra.partitions import Span
from infra.settings import PROJECT
from validation.profile.page import render

pytestmark = pytest.mark.thorough  # seconds in sum

DAY = date(2010, 12, 1)
SPAN = Span(DAY, DAY + timedelta(days=4))
EVIL = "<script>alert(1)</script>.csv"
VOID = ("meta", "br", "hr", "img", "input", "link", "base")
DRAWN = {"hours", "kinds", "events", "lengths", "dwell", "quality", "gate", "new-users", "new-items", "guests"}

#: Renders the same lake in a process of its own.
RENDER = """
import hashlib, sys
from datetime import date
from pathlib import Path
from infra.partitions import Span
from infra.settings import load_settings
from validation.profile.measure import measure
from validation.profile.page import render
settings = load_settings(Path(sys.argv[1]), timezone="Europe/Berlin")
span = Span(date.fromisoformat(sys.argv[2]), date.fromisoformat(sys.argv[3]))
print(hashlib.sha256(render(measure(settings, span)).encode()).hexdigest())
"""


class Page(HTMLParser):
    """Tags with their attributes, texts by figure, and whether every tag is closed in its place."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.figures: dict[str, list[str]] = {}
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "figure":
            self.figures[str(dict(attrs)["id"])] = []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)
        if "figure" in self.open:
            list(self.figures.values())[-1].append(data)

    def pictures(self) -> dict[str, str]:
        """What each drawn picture says to those who do not see it, by the name in its ids."""
        svgs = [attrs for tag, attrs in self.tags if tag == "svg"]
        assert all(attrs["role"] == "img" for attrs in svgs)
        drawn = [name for name, said in self.figures.items() if len(said) > 10]
        return dict(zip(drawn, (str(attrs["aria-label"]) for attrs in svgs), strict=True))


@pytest.fixture
def busy(shop: Any, row: Any) -> Any:
    """Four days with everything that a profile can show: types, dwell, faults, verdicts, an empty and a skipped day."""
    for offset in (0, 3):
        day = DAY + timedelta(days=offset)
        rows = [
            row(f"{day} {8 + n}:00:00", event_type=kind, user_id=f"u{n % 4}", dwell_ms=10**n, price=n, quantity=n + 1)
            for n, kind in enumerate(EVENT_TYPES)
        ]
        shop.deliver(day, *rows, row(f"{day} 10:00:00", user_id=""), row("never"), gate=([], ["row_count"]))
    shop.deliver(DAY + timedelta(days=1), closed="empty", reason="a Sunday")
    shop.deliver(DAY + timedelta(days=2), closed="skipped", reason="the shop lost it")
    return shop


def test_the_page_is_one_file_that_fetches_and_runs_nothing(busy: Any) -> None:
    text = render(busy.measure(SPAN))
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "embed", "base", "image"}
    addresses = [attrs[name] for _, attrs in page.tags for name in ("href", "src", "xlink:href") if name in attrs]
    assert all(str(address).startswith("#") for address in addresses)
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert not re.search(r"https?:|//\w|@import|url\((?!#)", text)
    assert "default-src 'none'" in text


def test_what_a_picture_refers_to_is_in_the_page_once(busy: Any) -> None:
    text = render(busy.measure(SPAN))
    named = [attrs["id"] for _, attrs in Page(text).tags if "id" in attrs]
    assert len(named) == len(set(named))
    assert set(re.findall(r'(?:url\(|href=")#([^)"]+)', text)) <= set(named)


@pytest.mark.parametrize("span", [SPAN, Span.of_day(DAY)])
def test_every_picture_has_units_at_its_axes_and_a_text_instead(busy: Any, span: Span) -> None:
    page = Page(render(busy.measure(span)))
    pictures = page.pictures()
    assert set(pictures) == DRAWN
    assert all(len(alt) > 40 for alt in pictures.values())
    labels = {
        "hours": {"hour of the day, Europe/Berlin", "events"},
        "kinds": {"day", "events a day"} if len(span) > 1 else {"event type", "events"},
        "events": {"events", "sessions"},
        "lengths": {"minutes from the first event to the last", "sessions"},
        "dwell": {"dwell time, seconds (logarithmic)", "events"},
        "quality": {"day", "% of what arrived"},
        "gate": {"day", "rules broken a day"},
        "new-users": {"day", "new users a day"},
        "new-items": {"day", "new items a day"},
        "guests": {"day", "% of events"},
    }
    for name, said in labels.items():
        assert said <= set(page.figures[name]), name
    assert {"1", "10", "100"} <= set(page.figures["dwell"])
    assert {"01 Dec"} <= set(page.figures["new-users"])
    assert "mathdefault" not in "".join(page.texts)


def test_pictures_take_the_colours_of_the_page_in_the_light_and_in_the_dark(busy: Any) -> None:
    text = render(busy.measure(SPAN))
    assert "prefers-color-scheme: dark" in text
    body = text[text.index("<body>") :]
    assert set(re.findall(r"#[0-9a-f]{6}\b", body)) <= {"#ffffff"}
    used = set(re.findall(r"var\((--[\w-]+)\)", text))
    light, dark = (set(re.findall(r"(--[\w-]+):", part)) for part in text.split("prefers-color-scheme: dark")[:2])
    assert used <= light
    assert light == dark


def test_the_page_says_what_it_was_made_from(busy: Any) -> None:
    found = busy.measure(SPAN)
    page = Page(render(found))
    texts = {text.strip() for text in page.texts}
    assert {"canonical", "Europe/Berlin", "2010-12-01..2010-12-05 (4 days)", "22"} <= texts
    assert f"4 manifests, sha256 {found.digest}" in texts
    assert {"came in", "24", "quarantined", "time_unreadable", "8.3%"} <= texts
    assert {"price, purchase", "minor units of GBP", "quantity, return", "pieces"} <= texts


def test_an_empty_and_a_skipped_day_say_so(busy: Any) -> None:
    whole = Page(render(busy.measure(SPAN)))
    assert {"empty day", "skipped day"} <= set(whole.figures["new-users"])
    for offset, said in ((1, "empty: a Sunday"), (2, "skipped: the shop lost it")):
        assert f"1 day without rows, {said}." in whole.texts
        day = DAY + timedelta(days=offset)
        page = Page(render(busy.measure(day)))
        assert f"1 day without rows, {said}." in page.texts
        assert "There are no events, so there is nothing to draw." in page.texts
        assert not {"hours", "kinds", "events", "lengths", "dwell"} & set(page.figures)
        assert str(day) in page.figures["new-users"]


def test_what_nobody_measured_is_said_instead_of_drawn(shop: Any, row: Any) -> None:
    shop.deliver(DAY, row(f"{DAY} 10:00:00", user_id=""))
    page = Page(render(shop.measure(DAY)))
    assert not {"dwell", "events", "lengths", "gate"} & set(page.pictures())
    said = {name: " ".join(texts) for name, texts in page.figures.items()}
    assert "No event of canonical says how long anybody looked" in said["dwell"]
    assert "There is no session. Left out are 1 with neither a session nor a user." in said["events"]
    assert "The gate judged 0 of 1 days" in said["gate"]
    assert "There is no closed day before 2010-12-01" in said["new-users"]


def test_dwell_times_that_have_no_place_on_the_axis_are_told(shop: Any, row: Any) -> None:
    dwell = (0, 0, 0, 100_000_001)
    shop.deliver(DAY, *(row(f"{DAY} 10:00:00", dwell_ms=value, event_id=n) for n, value in enumerate(dwell)))
    page = Page(render(shop.measure(DAY)))
    assert "dwell" not in page.pictures()
    said = " ".join(page.figures["dwell"])
    assert "Not drawn: 3 of no time at all. Not drawn: 1 of more than a day." in said
    next_day = DAY + timedelta(days=1)
    shop.deliver(next_day, row(f"{next_day} 10:00:00", dwell_ms=1))
    assert "from 0.001 to 0.001 seconds" in Page(render(shop.measure(next_day))).pictures()["dwell"]


def test_a_lake_of_days_without_rows_draws_nothing(shop: Any) -> None:
    shop.deliver(DAY, closed="empty", reason="a Sunday")
    page = Page(render(shop.measure(DAY)))
    assert set(page.pictures()) == {"new-users", "new-items"}
    assert "No row was kept." in page.texts
    assert "No row arrived on 2010-12-01 to 2010-12-01" in " ".join(page.figures["quality"])


def test_a_long_span_is_drawn_by_week(shop: Any, row: Any) -> None:
    span = Span(DAY - timedelta(days=130), DAY)
    shop.deliver(span, *(row(f"{day} 10:00:00") for day in span.days()))
    page = Page(render(shop.measure(span)))
    assert {"week", "events a week"} <= set(page.figures["kinds"])
    assert {"week", "% of events"} <= set(page.figures["guests"])


def test_text_from_outside_is_shown_and_never_obeyed(shop: Any, row: Any) -> None:
    delivery = shop.deliver(DAY, row(f"{DAY} 10:00:00"), name="<b>bold<b>.csv").delivery_id
    manifest = shop.lake.manifest(delivery)
    content = read_json(manifest)
    content["files"][0]["name"] = EVIL
    content |= {"ignored_files": ["<img src=x>"], "quarantined_by_reason": {"<i>$\\frac": 1}}
    write_json(manifest, content)
    path = shop.lake.events(DAY, delivery)
    events = pq.ParquetFile(path).read()
    odd = pa.array(['"><svg onload=alert(1)>$\\frac$'] * len(events))
    pq.write_table(events.set_column(events.schema.get_field_index("event_type"), "event_type", odd), path)
    marker = read_json(shop.lake.partition(DAY))
    write_json(shop.lake.partition(DAY), {**marker, "closed": "skipped", "reason": "<u>why</u>"})

    text = render(shop.measure(DAY))

    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"script", "b", "i", "u", "img"}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.csv" in text
    for said in (EVIL, "ignored: <img src=x>", "<i>$\\frac", "1 day without rows, skipped: <u>why</u>."):
        assert said in page.texts
    assert '"><svg onload=alert(1)>$\\frac$' in page.figures["kinds"]
    assert '"><svg onload=alert(1)>$\\frac$ 100.0%' in page.pictures()["kinds"]


def test_a_persons_own_style_changes_nothing(busy: Any) -> None:
    found = busy.measure(DAY)
    with matplotlib.rc_context({"axes.linewidth": 5, "xtick.major.size": 20}):
        styled = render(found)
    assert styled == render(found)


def test_the_same_lake_gives_the_same_bytes_in_every_process(busy: Any) -> None:
    command = [sys.executable, "-c", RENDER, str(busy.settings.home), str(SPAN.start), str(SPAN.end)]
    found = set()
    for seed, threads in (("1", "2"), ("2", "1")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "SOURCE_DATE_EPOCH": seed, "PENCHANT_THREADS": threads}
        done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1
