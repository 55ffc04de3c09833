"""Ingest: one delivery's files become typed, deduplicated, routed events in a staging folder.

Nothing outside ``lake.staging(delivery_id)`` is written, so that the gate sees a delivery before anyone
else does, and the folder appears at once or not at all. Running it again gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from features.events.cleaning.clean import changes, clean, learn
from features.events.cleaning.learned import Learned
from features.events.cleaning.policy import Policy, load_policy
from features.events.delivery import delivery_id, describe, require_unchanged, stamps
from features.events.items.versions import write_items
from features.events.manifest import STAGED_MANIFEST, Closed, Manifest, known, learned_before
from features.events.reading.matching import sort_files
from features.events.reading.parse import Parsed, parse
from features.events.reading.parsed import PARSED
from features.events.reading.query import Bounds
from features.events.reading.relations import text_file
from features.events.reasons import RULE_VERSION
from features.events.route import counts, days_of, others, route
from features.events.schema import EVENT_ID
from features.events.scratch import scratch
from features.events.sources import Source, source_named
from features.events.staging import LEFT_OUT, write_aliases, write_events, write_quarantine
from infra.lake import written_aside
from infra.locks import one_at_a_time
from infra.partitions import Span, day_end, require_over
from infra.settings import Settings


def ingest(
    settings: Settings,
    source: str,
    files: Sequence[Path],
    span: Span,
    *,
    bulk: bool,
    delivered_at: datetime,
    ignored_files: Sequence[str] = (),
    closed: Closed = "rows",
    reason: str = "",
    beside: Sequence[str] = (),
    replayed: pa.Table | None = None,
) -> Manifest:
    """Take a delivery into its staging folder.

    Args:
        source: name of the adapter that reads the files.
        files: what arrived, in order; none closes the span without rows, ``reason`` says why.
        span: the days that the delivery is for. Rows before are late, rows at or after its end early;
            both go to the file of their own day.
        bulk: history: rows of the span became known at the end of their day plus the stated lag.
        delivered_at: since when the delivery is known; no row may have happened later.
        ignored_files: names that lay beside the files, for the record.
        beside: deliveries staged for the same span before this one; their rows are duplicates here.
        replayed: rows that come out of the quarantine, and no day of ``span`` is closed: their ids in it.

    Raises:
        DeliveryError: a file that cannot be read as a whole; nothing has changed.
        SettingsError: the days are not over by the shop's clock.
    """
    require_over(span, settings.shop_clock().now(), settings.zone)
    adapter = source_named(source)
    policy = load_policy(settings)
    before = stamps(files)
    described = describe(files, settings.unpacked_bytes)
    manifest = Manifest(
        delivery_id=delivery_id(source, described, span, replayed[EVENT_ID].to_pylist() if replayed else ()),
        source=source,
        files=described,
        span_start=span.start,
        span_end=span.end,
        bulk=bulk,
        closes=replayed is None,
        delivered_at=delivered_at.astimezone(UTC),
        ingested_at_rule=_rule(settings, bulk),
        rule_version=RULE_VERSION,
        closed=closed,
        reason=reason,
        ignored_files=tuple(ignored_files),
    )
    # two that take the same delivery would take its folder from each other
    with one_at_a_time(settings, "stage"), written_aside(settings.lake.staging(manifest.delivery_id)) as folder:
        folder.mkdir()
        with scratch(settings, folder) as connection:
            parsed = _parsed(connection, settings, adapter, files, manifest)
            require_unchanged(files, before)
            learned = _cleaned(connection, settings, policy, manifest)
            manifest = _routed(connection, settings, adapter, manifest, tuple(beside), replayed)
            write_events(connection, folder, manifest, _assumed(settings, manifest), settings.threads)
            catalogue, rewritten = write_items(connection, settings, policy, parsed, folder, span)
            write_quarantine(connection, folder, manifest, parsed.log)
            write_aliases(connection, folder)
            cleaned = {**changes(connection, policy, learned, LEFT_OUT), **rewritten}
            manifest = manifest.model_copy(update={"catalogue": catalogue, "cleaned": cleaned, "learned": learned})
        manifest.write(folder / STAGED_MANIFEST)
    return manifest


def _parsed(
    connection: duckdb.DuckDBPyConnection, settings: Settings, source: Source, files: Sequence[Path], manifest: Manifest
) -> Parsed:
    found = sort_files(source, [text_file(connection, path, [source]) for path in files])
    bounds = Bounds(horizon=min(settings.shop_clock().now(), manifest.delivered_at), currency=settings.currency)
    return parse(connection, source, found, bounds)


def _cleaned(connection: duckdb.DuckDBPyConnection, settings: Settings, policy: Policy, manifest: Manifest) -> Learned:
    """Clean by what this delivery taught when it was taken before, else by what it teaches now."""
    again = known(settings.lake, manifest.delivery_id)
    learned = again.learned if again is not None else Learned()
    if learned.policy != policy.digest:
        learned = learn(connection, policy, learned_before(settings.lake, manifest, policy.digest))
    clean(connection, policy, learned)
    return learned


def _routed(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    source: Source,
    manifest: Manifest,
    beside: tuple[str, ...],
    replayed: pa.Table | None,
) -> Manifest:
    """Give every row its fate, and count them."""
    rows_in = connection.execute(f"SELECT count(*) FROM {PARSED}").fetchall()[0][0]
    route(
        connection,
        others(settings.lake, days_of(connection), manifest.delivery_id, beside),
        manifest.span,
        late_days=settings.late_days,
        repeats_are_events=source.repeats_are_events,
        old_ids=replayed,
    )
    counted = counts(connection)
    # days to which the same delivery brought rows by other rules are to be written again, without them
    before = known(settings.lake, manifest.delivery_id)
    accounted = manifest.model_copy(update={"rows_in": rows_in, **counted})
    gone = set(before.days if before else ()) - set(accounted.days)
    late = {**dict.fromkeys(sorted(gone), 0), **accounted.late_by_day}
    accounted = accounted.model_copy(update={"late_by_day": late})
    accounted.check_sum()
    return accounted


def _assumed(settings: Settings, manifest: Manifest) -> dict[date, datetime]:
    """Of a bulk history, the moment from which each day is assumed to have been known."""
    if not manifest.bulk:
        return {}
    lag = timedelta(minutes=settings.history_lag_minutes)
    return {day: day_end(day, settings.zone) + lag for day in manifest.span.days()}


def _rule(settings: Settings, bulk: bool) -> str:
    if bulk:
        return f"end of the row's day + {settings.history_lag_minutes} min, assumed; outside the span: delivered_at"
    return "delivered_at"
