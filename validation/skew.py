"""Whether answers are made from what the lake says: a day's sampled answers, computed again point in time.

Training sees the offline side, answers the online one. Both go through ``features.advance``, but rows travel through a
build, a store and a cache; this holds the two ends against each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Engine

from features.events.log import event_files
from features.views import SERVICE
from infra.errors import FeatureError
from infra.partitions import Span, day_end, day_start
from infra.served import Served, served_between
from infra.settings import Settings
from validation.skew_compare import Pair, compare
from validation.skew_expected import Expected, expectations
from validation.skew_report import Explained, SkewReport, write_report


def check(settings: Settings, database: Engine, day: date, now: datetime) -> SkewReport:
    """Compare the kept answers of a closed ``day``, and write the report; ``now`` is the shop's moment.

    Raises:
        FeatureError: the day, or one that its answers stand on, is not closed; or what was posted then may have
            left the inbox.
    """
    event_files(settings.lake, Span.of_day(day))
    kept = served_between(database, day_start(day, settings.zone), day_end(day, settings.zone))
    samples = [sample for sample in kept if sample.feature_service == SERVICE]
    _require_inbox(settings, samples, now)
    expected = expectations(settings, database, samples) if samples else []
    report = _report(settings, day, now, samples, expected)
    write_report(settings.lake, report)
    return report


def _require_inbox(settings: Settings, samples: Sequence[Served], now: datetime) -> None:
    kept = timedelta(days=settings.keep_inbox_days)
    forgotten = [sample for sample in samples if kept and sample.as_of < now - kept]
    if forgotten:
        raise FeatureError(
            f"{len(forgotten)} of the answers knew events since {min(one.as_of for one in forgotten)}, and the inbox "
            f"keeps {settings.keep_inbox_days} days (keep_inbox_days).",
            "Compare a later day; what a day's answers knew is compared best on the day after.",
        )


def _report(
    settings: Settings, day: date, now: datetime, samples: Sequence[Served], expected: Sequence[Expected]
) -> SkewReport:
    pairs = [
        Pair(sample.user_id, sample.moment, sample.features, right.states)
        for sample, right in zip(samples, expected, strict=True)
    ]
    strict = [pair for pair, right in zip(pairs, expected, strict=True) if not right.reasons]
    features = compare(strict)
    return SkewReport(
        day=day,
        made_at=now,
        feature_service=SERVICE,
        samples=len(samples),
        compared=len(strict),
        behind=sum(right.behind for right in expected),
        unseen=sum(right.unseen > 0 for right in expected),
        explained=_explained(pairs, expected),
        values=sum(feature.compared for feature in features),
        different=sum(feature.different for feature in features),
        limit=settings.skew_limit,
        features=features,
    )


def _explained(pairs: Sequence[Pair], expected: Sequence[Expected]) -> dict[str, Explained]:
    by_reason: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair, right in zip(pairs, expected, strict=True):
        for reason in right.reasons:
            by_reason[reason].append(pair)
    return {
        reason: Explained(answers=len(those), different=sum(feature.different for feature in compare(those)))
        for reason, those in by_reason.items()
    }
