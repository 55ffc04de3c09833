"""The page: one HTML file that needs no other, in which everything from outside is escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from validation.profile import contents, trends, visits
from validation.profile.deliveries import FATES
from validation.profile.drawing import Picture
from validation.profile.findings import Profile

_TEMPLATE: Final = "page.html"


def render(profile: Profile) -> str:
    """The page of a profile; the same profile gives the same text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "count": _count}
    return environment.get_template(_TEMPLATE).render(
        profile=profile,
        facts=_facts(profile),
        without_rows=_without_rows(profile),
        tiles=_tiles(profile),
        fates=list(_fates(profile)),
        elsewhere=_elsewhere(profile),
        contents=_contents(profile),
        trends=_trends(profile),
    )


def _facts(profile: Profile) -> list[tuple[str, str]]:
    digest = f"{_count(profile.manifests, 'manifest')}, sha256 {profile.digest}"
    days = f"{profile.start:%A}" if len(profile.days) == 1 else _count(len(profile.days), "day")
    return [
        ("Sources" if len(profile.sources) > 1 else "Source", ", ".join(profile.sources)),
        ("Span", f"{profile.start}..{profile.end} ({days})"),
        ("Time zone", profile.time_zone),
        ("Rows", _number(profile.rows)),
        ("Made from", digest),
    ]


def _tiles(profile: Profile) -> list[tuple[str, str, str]]:
    """Number, what it counts, and a word about it."""
    names = ("arrived", "quarantined", "new_users", "new_items")
    arrived, quarantined, new_users, new_items = (sum(getattr(day, name) for day in profile.days) for name in names)
    return [
        (_number(profile.rows), "events", f"of {arrived:,} that arrived"),
        (_number(profile.sessions.named + profile.sessions.cut), "sessions", ""),
        (_number(profile.users), "users", f"{new_users:,} of them new"),
        (_number(profile.items), "items", f"{new_items:,} of them new"),
        (_percent(profile.guests, profile.rows), "guests", "of the events"),
        (_percent(quarantined, arrived), "quarantined", "of what arrived"),
    ]


def _without_rows(profile: Profile) -> list[tuple[str, str, list[str]]]:
    """Days of the span without rows, together where state and reason are the same."""
    found: dict[tuple[str, str], list[str]] = {}
    for day in profile.days:
        if day.closed != "rows":
            found.setdefault((day.closed, day.reason), []).append(str(day.day))
    return [(closed, reason, days) for (closed, reason), days in found.items()]


def _fates(profile: Profile) -> Iterator[dict[str, Any]]:
    """Every heading with its rows and its share of all that came in; the quarantine also by reason."""
    rows_in = sum(one.rows_in for one in profile.deliveries)
    reasons: Counter[str] = Counter()
    for one in profile.deliveries:
        reasons.update(one.by_reason)
    totals = [("came in", rows_in, False)]
    totals += [(fate, sum(getattr(one, fate) for one in profile.deliveries), False) for fate in FATES]
    totals += [(reason, rows, True) for reason, rows in sorted(reasons.items(), key=lambda one: (-one[1], one[0]))]
    for name, rows, part in totals:
        yield {"name": name, "rows": rows, "part": part, "share": _percent(rows, rows_in)}


def _elsewhere(profile: Profile) -> str:
    here = sum(one.here for one in profile.deliveries)
    kept = sum(one.accepted + one.late + one.early for one in profile.deliveries)
    if here == kept:
        return f"All rows that were kept lie in {profile.name}." if kept else "No row was kept."
    return f"{here:,} of the {kept:,} rows that were kept lie in {profile.name}, the others in other days."


def _contents(profile: Profile) -> list[Picture]:
    if not profile.rows:
        return []
    makers = (
        contents.hours_picture, contents.kinds_picture, visits.events_picture, visits.lengths_picture,
        visits.dwell_picture,
    )  # fmt: skip
    return [make(profile) for make in makers]


def _trends(profile: Profile) -> list[Picture]:
    pictures = [
        trends.quality_picture(profile),
        trends.gate_picture(profile),
        trends.newcomers_picture(profile, "users"),
        trends.newcomers_picture(profile, "items"),
        trends.guests_picture(profile),
    ]
    return pictures if len(profile.days) == len(profile.course) else [trends.volume_picture(profile), *pictures]


def _number(value: int) -> str:
    return f"{value:,}"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole if whole else 0:.1%}"


def _count(number: int, one: str, several: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"
