"""From answers back to the lake: whether they were made from what it says."""

from __future__ import annotations

from datetime import date
from typing import Any

from infra.errors import FeatureError
from infra.settings import Settings


def check_skew(settings: Settings, day: date | None = None) -> dict[str, Any]:
    """Compare what answers of a closed day knew with what the lake says they should have; returns the report.

    Args:
        day: None: the last closed one.

    Raises:
        FeatureError: the day is not closed, or no day is.
    """
    from infra.database import opened
    from validation.skew import check

    closed = settings.lake.closed_days()
    if day is None and not closed:
        raise FeatureError("No day is closed yet.", "Load the shop's history first.")
    with opened(settings) as database:
        report = check(settings, database, day or closed[-1], settings.shop_clock().now())
    print(report.said)
    return report.to_json()


def require_consistent(settings: Settings, report: dict[str, Any]) -> str:
    """Hold that no more differs than may; returns where the report is, relative to the lake.

    Raises:
        SkewError: more does; names the features and the report.
    """
    from validation.skew_report import report_of

    found = report_of(report)
    found.insist(settings.lake)
    return str(settings.lake.skew(found.day).relative_to(settings.lake.root))
