"""Pictures of the course of time: volume, newcomers, guests, quality, the gate's verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from validation.profile.drawing import MUTED, SERIES, Picture, draw, legend_above, whole_numbers
from validation.profile.findings import Profile
from validation.profile.quality import FAULTS
from validation.profile.steps import Step, over_days, place, stack, steps, unit

_CALM, _WARM, _ALARM = SERIES[0], SERIES[3], SERIES[6]
_FAULT_COLOURS: Final = dict(zip(FAULTS, (_ALARM, _CALM, _WARM), strict=True))
_MARKS: Final = {"empty": "|", "skipped": "x"}


def volume_picture(profile: Profile) -> Picture:
    """Events by day."""
    rows = [day.rows for day in profile.course]
    said = f"From {min(rows):,} to {max(rows):,} events a day."
    return _bars(profile, "volume", "Events", said, "events", {"rows": _CALM})


def newcomers_picture(profile: Profile, what: str) -> Picture:
    """Users or items (``what``) that occur for the first time."""
    name = f"new_{what}"
    new = sum(getattr(day, name) for day in profile.days)
    before = f"{profile.earlier_days:,} closed days before"
    said = f"Of the {what} of {profile.name}, {new:,} had been seen on none of the {before}."
    if not profile.earlier_days:
        said = f"There is no closed day before {profile.name} to compare with: at first everybody is new."
    return _bars(profile, f"new-{what}", f"New {what}", said, f"new {what}", {name: _CALM})


def guests_picture(profile: Profile) -> Picture:
    """Share of the events that have no user."""
    said = f"{profile.guests:,} of {profile.rows:,} events of {profile.name} are of guests."
    return _shares(profile, "guests", "Guests", said, "events", "rows", {"guests": _CALM})


def quality_picture(profile: Profile) -> Picture:
    """Shares of what arrived that were quarantined, duplicate or late."""
    totals = {name: sum(getattr(day, name) for day in profile.course) for name in FAULTS}
    arrived = sum(day.arrived for day in profile.course)
    said = f"Of {arrived:,} rows that arrived, " + ", ".join(f"{rows:,} {name}" for name, rows in totals.items()) + "."
    for name, rows in profile.of_no_day.items():
        said += f" {rows:,} {name} rows of deliveries for several days count for no single day."
    return _shares(profile, "quality", "Quality of what arrived", said, "what arrived", "arrived", _FAULT_COLOURS)


def gate_picture(profile: Profile) -> Picture:
    """Rules that the deliveries of a day broke."""
    judged, warnings, failures = (
        sum(getattr(day, name) for day in profile.course) for name in ("judged", "warnings", "failures")
    )
    title = "Verdicts of the gate"
    said = f"The gate judged {judged} of {len(profile.course)} days; warnings: {warnings:,}, failures: {failures:,}."
    if not warnings and not failures:
        return Picture("gate", title, said)
    return _bars(profile, "gate", title, said, "rules broken", {"warnings": _WARM, "failures": _ALARM})


def _bars(profile: Profile, name: str, title: str, said: str, what: str, stacked: Mapping[str, str]) -> Picture:
    """Counts of the days, one on the other; ``stacked`` maps their names to colours."""
    shown = f"{what} a {unit(profile.course)}"

    def paint(axes: Any) -> None:
        found = steps(profile.course)
        below = [0] * len(found)
        for count, colour in stacked.items():
            label = count if len(stacked) > 1 else what
            stack(axes, found, [step.total(count) for step in found], below, color=colour, label=label)
        _frame(axes, profile, shown)
        whole_numbers(axes.yaxis)

    return Picture(name, title, said, draw(name, f"Bars: {shown}, {profile.course_name}. {said}", paint))


def _shares(
    profile: Profile, name: str, title: str, said: str, what: str, whole: str, parts: Mapping[str, str]
) -> Picture:
    """Counts of the days as shares of another; ``parts`` maps their names to colours."""
    found = [step for step in steps(profile.course) if step.total(whole)]
    if not found:
        return Picture(name, title, f"No row arrived on {profile.course_name}: there is nothing to draw.")
    shown = f"% of {what}"

    def paint(axes: Any) -> None:
        for part, colour in parts.items():
            shares = [100 * step.total(part) / step.total(whole) for step in found]
            middles = [step.middle for step in found]
            axes.plot(middles, shares, color=colour, label=part, marker=".", linewidth=1.2)
        axes.set_ylim(0, max(1, axes.get_ylim()[1]))
        _frame(axes, profile, shown)

    return Picture(
        name, title, said, draw(name, f"Lines by {unit(profile.course)}: {shown}, {profile.course_name}. {said}", paint)
    )


def _frame(axes: Any, profile: Profile, shown: str) -> None:
    """Days below; the profile's own days shaded where they are only some of them; days without rows marked."""
    over_days(axes, profile.course)
    axes.set_ylabel(shown)
    own = Step(profile.days)
    if len(profile.days) < len(profile.course):
        ends = (own.middle - own.width / 2, own.middle + own.width / 2)
        axes.axvspan(*ends, color=MUTED, alpha=0.3, linewidth=0, zorder=0, label=profile.name)
    for state, marker in _MARKS.items():
        marked = [place(day) for day in profile.course if day.closed == state]
        if marked:
            look = {"color": MUTED, "markersize": 5, "clip_on": False, "linestyle": ""}
            axes.plot(marked, [0] * len(marked), marker=marker, label=f"{state} day", **look)
    legend_above(axes, last=(profile.name, *(f"{state} day" for state in _MARKS)))
