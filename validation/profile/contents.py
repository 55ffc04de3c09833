"""Pictures of what a span holds: hours of the day and event types."""

from __future__ import annotations

from typing import Any

from features.events.schema import EVENT_TYPES
from validation.profile.drawing import SERIES, Picture, draw, legend_above, whole_numbers
from validation.profile.findings import Profile
from validation.profile.steps import over_days, stack, steps, unit


def hours_picture(profile: Profile) -> Picture:
    """Events by hour of the shop's day."""
    peak = max(range(len(profile.hours)), key=lambda hour: profile.hours[hour])
    said = f"Most events came between {peak}:00 and {peak + 1}:00: {profile.hours[peak]:,} of {profile.rows:,}."

    def paint(axes: Any) -> None:
        axes.bar(range(len(profile.hours)), profile.hours, width=0.85, color=SERIES[0])
        axes.set(xlabel=f"hour of the day, {profile.time_zone}", ylabel="events", xlim=(-0.7, 23.7))
        axes.set_xticks(range(0, len(profile.hours), 3))
        whole_numbers(axes.yaxis)

    alt = f"Bars: events by hour of the shop's day, in {profile.time_zone}. {said}"
    return Picture("hours", "Hours of the day", said, draw("hours", alt, paint))


def kinds_picture(profile: Profile) -> Picture:
    """Events of each type: of a day in all, of a span by day or week."""
    totals = kinds(profile)
    said = ", ".join(f"{kind} {rows / profile.rows:.1%}" for kind, rows in totals.items()) + "."
    paint, shape = _of_day, "Bars: events of each type"
    if len(profile.days) > 1:
        paint, shape = _over_time, f"Stacked bars: events of each type by {unit(profile.days)}"
    svg = draw("kinds", f"{shape}. {said}", lambda axes: paint(axes, profile), labels=len(totals))
    return Picture("kinds", "Event types", said, svg)


def kinds(profile: Profile) -> dict[str, int]:
    """Rows by event type, most frequent first."""
    named = {kind for of_day in profile.mix.values() for kind in of_day}
    totals = {kind: sum(of_day.get(kind, 0) for of_day in profile.mix.values()) for kind in named}
    return dict(sorted(totals.items(), key=lambda one: (-one[1], one[0])))


def _over_time(axes: Any, profile: Profile) -> None:
    found = steps(profile.days)
    below = [0] * len(found)
    for kind in kinds(profile):
        rows = [sum(profile.mix.get(day.day, {}).get(kind, 0) for day in step.days) for step in found]
        stack(axes, found, rows, below, color=_colour(kind), label=kind)
    over_days(axes, profile.days)
    axes.set_ylabel(f"events a {unit(profile.days)}")
    whole_numbers(axes.yaxis)
    legend_above(axes)


def _of_day(axes: Any, profile: Profile) -> None:
    totals = dict(reversed(kinds(profile).items()))
    bars = axes.barh(list(totals), list(totals.values()), height=0.7, color=[_colour(kind) for kind in totals])
    axes.bar_label(bars, [f"{rows:,}" for rows in totals.values()], padding=4)
    room = max(0, 4 - len(totals)) / 2  # a lone type gets no bar as thick as the picture
    axes.set(xlabel="events", ylabel="event type", xlim=(0, 1.2 * max(totals.values())))
    axes.set_ylim(-0.6 - room, len(totals) - 0.4 + room)
    axes.grid(visible=False, axis="y")
    whole_numbers(axes.xaxis)


def _colour(kind: str) -> str:
    """Each type has its own, the same on every page."""
    return SERIES[EVENT_TYPES.index(kind) if kind in EVENT_TYPES else 0]
