"""Pictures of visits: how many events a session has, how long it lasts, how long somebody looks at something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from validation.profile.drawing import SERIES, Picture, draw, whole_numbers
from validation.profile.findings import Bins, Profile
from validation.profile.sessions import EVENTS_OF, LENGTH_OF, MINUTE_US, SILENCE_MINUTES

_EVENTS: Final = ("1", "2", "3-5", "6-10", "11-20", "21-50", "51-100", "more")
_LENGTHS: Final = ("0", "≤ 1", "≤ 5", "≤ 15", "≤ 30", "≤ 60", "≤ 120", "≤ 240", "more")
_SECOND_MS: Final = 1000


def events_picture(profile: Profile) -> Picture:
    """Sessions by their number of events."""
    said = f"{_how_many(profile)}{_typical(profile, EVENTS_OF, 1, 'events')}{_left_out(profile)}"
    return _picture("events", "Events of a session", said, profile.sessions.by_events, _EVENTS, "events")


def lengths_picture(profile: Profile) -> Picture:
    """Sessions by the minutes from the first event to the last."""
    said = f"{_how_many(profile)}{_typical(profile, LENGTH_OF, MINUTE_US, 'minutes')}"
    unit = "minutes from the first event to the last"
    return _picture("lengths", "Length of a session", said, profile.sessions.by_length, _LENGTHS, unit)


def dwell_picture(profile: Profile) -> Picture:
    """How long somebody looked, on a logarithmic axis."""
    title, found = "Dwell time", profile.dwell
    if found is None:
        named = ", ".join(profile.sources)
        return Picture("dwell", title, f"No event of {named} says how long anybody looked: there is nothing to draw.")
    low, middle, p99, high = (
        _number(value / _SECOND_MS) for value in (found.least, found.median, found.p99, found.most)
    )
    said = (
        f"{found.rows:,} of {profile.rows:,} events say how long: from {low} to {high} seconds, half of them up to "
        f"{middle}, 99 of 100 up to {p99}.{_outside(profile.dwell_bins)}"
    )
    if not sum(_drawn(profile.dwell_bins)):
        return Picture("dwell", title, said)
    alt = f"Histogram with a logarithmic time axis: events by dwell time. {said}"
    return Picture("dwell", title, said, draw("dwell", alt, lambda axes: _histogram(axes, profile.dwell_bins)))


def _picture(name: str, title: str, said: str, bins: Bins, labels: Sequence[str], unit: str) -> Picture:
    def paint(axes: Any) -> None:
        axes.bar(range(len(labels)), bins.counts, width=0.85, color=SERIES[0])
        axes.set_xticks(range(len(labels)), labels)
        axes.set(xlabel=unit, ylabel="sessions")
        whole_numbers(axes.yaxis)

    drawn = draw(name, f"Bars: sessions by {unit}. {said}", paint) if sum(bins.counts) else None
    return Picture(name, title, said, drawn)


def _histogram(axes: Any, bins: Bins) -> None:
    """Bars from the first step that holds something to the last; the lowest begins at half a millisecond."""
    edges = [edge / _SECOND_MS for edge in (0.5, *bins.edges[1:])]
    counts = _drawn(bins)
    held = [place for place, count in enumerate(counts) if count]
    first, last = held[0], held[-1] + 1
    axes.stairs(counts[first:last], edges[first : last + 1], fill=True, color=SERIES[0])
    axes.set(xscale="log", xlabel="dwell time, seconds (logarithmic)", ylabel="events")
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.xaxis.set_minor_formatter("")
    whole_numbers(axes.yaxis)


def _drawn(bins: Bins) -> Sequence[int]:
    """Without those of no time, which have no place on a logarithmic axis, and those beyond the last edge."""
    return bins.counts[1:-1]


def _outside(bins: Bins) -> str:
    none, beyond = bins.counts[0], bins.counts[-1]
    said = f" Not drawn: {none:,} of no time at all." if none else ""
    return said + (f" Not drawn: {beyond:,} of more than a day." if beyond else "")


def _how_many(profile: Profile) -> str:
    named, cut = profile.sessions.named, profile.sessions.cut
    if not named + cut:
        return "There is no session."
    said = f"Sessions: {named + cut:,}, "
    if named:
        said += f"{named:,} named by the source" if cut else "all named by the source"
    if cut:
        said += (
            f"{f' and {cut:,}' if named else ''} cut where a user was silent for more than {SILENCE_MINUTES} minutes"
        )
    return f"{said}."


def _typical(profile: Profile, what: str, scale: int, unit: str) -> str:
    found = next((spread for spread in profile.sessions.spreads if spread.what == what), None)
    if found is None:
        return ""
    if not found.most:
        return " Each begins and ends in one moment: the source gives no finer times."
    low, middle, high = (_number(value / scale) for value in (found.least, found.median, found.most))
    return f" From {low} to {high} {unit}, half of them up to {middle}."


def _left_out(profile: Profile) -> str:
    rows = profile.sessions.left_out
    return f" Left out are {rows:,} with neither a session nor a user." if rows else ""


def _number(value: float) -> str:
    return f"{round(value, 3):.3g}" if value < 10 else f"{value:,.1f}".removesuffix(".0")
