"""What was found of the answers of one day: as data for the model gate, and as a page for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from infra.errors import SkewError
from infra.lake import Lake, read_json, write_json, written_aside
from validation.skew_compare import FeatureSkew
from validation.skew_expected import REASONS

_LONGEST: Final = 60


class Explained(BaseModel):
    """Answers that knew less or more than the lake does today, rightly; and how many of their values differ."""

    model_config = ConfigDict(frozen=True)

    answers: int = 0
    different: int = 0


class SkewReport(BaseModel):
    """The answers of ``day``, held against the lake.

    Attributes:
        samples: answers that were kept, ``compared`` of them without a reason to differ.
        behind: answers while a closed day was not online yet.
        unseen: answers before events of the same time came by another way than the API.
        explained: by reason of ``skew_expected.REASONS``; an answer with several counts under each.
        values, different: of the compared answers; ``limit``: the share that may differ.
        features: one entry a feature, by name.
    """

    model_config = ConfigDict(frozen=True)

    day: date
    made_at: datetime
    feature_service: str
    samples: int
    compared: int
    behind: int
    unseen: int
    explained: Mapping[str, Explained]
    values: int
    different: int
    limit: float
    features: tuple[FeatureSkew, ...]

    @property
    def share(self) -> float:
        return self.different / self.values if self.values else 0.0

    @property
    def skewed(self) -> bool:
        return self.share > self.limit

    @property
    def wrong(self) -> list[FeatureSkew]:
        """The features that differ, the most frequent first."""
        differing = [one for one in self.features if one.different]
        return sorted(differing, key=lambda one: (-one.different, one.feature))

    @property
    def said(self) -> str:
        """The whole in a sentence."""
        if not self.compared:
            return f"{self.day}: nothing compared; kept: {_many(self.samples, 'answer')}."
        answers = f"{_many(self.values, 'value')} of {_many(self.compared, 'answer')} compared"
        if not self.different:
            return f"{self.day}: {answers}, all as the lake says."
        names = ", ".join(f"{one.feature} ({one.different})" for one in self.wrong[:5])
        more = f" and {_many(len(self.wrong) - 5, 'more feature')}" if len(self.wrong) > 5 else ""
        return f"{self.day}: {answers}, {self.different} differ: {names}{more}."

    def to_json(self) -> dict[str, Any]:
        return {**self.model_dump(mode="json"), "share": self.share, "skewed": self.skewed}

    def insist(self, lake: Lake) -> None:
        """Hold that no more differs than may.

        Raises:
            SkewError: names the features, and where the report is.
        """
        if self.skewed:
            page = lake.skew(self.day).with_suffix(".md")
            raise SkewError(f"Answers are not made from what the lake says. {self.said}", f"The report is {page}.")


def write_report(lake: Lake, report: SkewReport) -> None:
    path = lake.skew(report.day)
    write_json(path, report.to_json())
    with written_aside(path.with_suffix(".md")) as aside:
        aside.write_text(to_markdown(report), encoding="utf-8")


def last_report(lake: Lake, feature_service: str) -> SkewReport | None:
    """Of the latest day of which answers with this feature service were compared; None: of no day."""
    for path in reversed(lake.skews()):
        content = read_json(path)
        if content["feature_service"] == feature_service and content["compared"]:
            return report_of(content)
    return None


def report_of(content: Mapping[str, Any]) -> SkewReport:
    """Read back what ``SkewReport.to_json`` wrote."""
    return SkewReport.model_validate({name: content[name] for name in SkewReport.model_fields})


def to_markdown(report: SkewReport) -> str:
    lines = [
        f"# Answers of {report.day} beside the lake",
        "",
        report.said,
        "",
        f"- kept: {_many(report.samples, 'answer')} with {report.feature_service}; compared: {report.compared}",
        f"- values that differ: {report.different} of {report.values} ({report.share:.3%}; limit {report.limit:.3%})",
        f"- given while a closed day was not online yet: {report.behind}",
        f"- before events of the same time came by another way than the API: {report.unseen}",
        *(_reason(name, one) for name, one in sorted(report.explained.items())),
    ]
    if report.wrong:
        heading = "| feature | values | different | absolute | relative | first: user, moment | served | expected |"
        lines += ["", heading, "|---|---|---|---|---|---|---|---|", *(_row(one) for one in report.wrong)]
    return "\n".join(lines) + "\n"


def _reason(name: str, one: Explained) -> str:
    return (
        f"- left out, {name}: {_many(one.answers, 'answer')}, of whose values {one.different} differ: {REASONS[name]}"
    )


def _row(one: FeatureSkew) -> str:
    found = one.example
    first = f"{found.user_id}, {found.moment.isoformat()}" if found else ""
    place = f" at {found.place}" if found and found.place is not None else ""
    values = (found.served, found.expected) if found else ("", "")
    cells = [one.feature, one.compared, one.different, _number(one.absolute), _number(one.relative), first + place]
    return f"| {' | '.join(_cell(cell) for cell in (*cells, *values))} |"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _cell(value: Any) -> str:
    text = " ".join(str(value).split()).replace("|", "\\|")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
