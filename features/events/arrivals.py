"""What arrived is taken: a day with everything that there is for it, or a bulk history in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Engine

from features.events.delivery import delivery_id, describe, known_since
from features.events.exports.inbox import inbox_file
from features.events.exports.sql import sql_file, sql_history
from features.events.ingest import ingest
from features.events.landing_folder import Found, find_files
from features.events.landing_url import land
from features.events.manifest import Manifest, SourceFile, read_published
from features.events.sources.canonical import INBOX
from infra.errors import DeliveryError
from infra.partitions import Span, require_over
from infra.settings import Settings


def take_day(settings: Settings, source: str, day: date, inbox: Engine | None = None) -> list[Manifest]:
    """Stage the deliveries of one day: the source's files, then what was posted to the API.

    Where ``landing_url`` is set, the source's files are copied from there first; where ``sql_url`` is set, what
    is new in that database becomes one of them.

    Args:
        inbox: the database that holds the inbox; None where nothing is posted.

    Returns:
        Manifests in the order in which they were taken; gate each, then publish them together.

    Raises:
        DeliveryError: nothing arrived, or a file that cannot be read as a whole.
        SettingsError, ServiceError: the database of ``sql_url`` cannot be asked, or does not answer.
    """
    span = Span.of_day(day)
    land(settings, source, day)
    manifests = [_take(settings, source, _arrived(settings, source, day), span, bulk=False)]
    if inbox is not None and inbox_file(settings, inbox, day) is not None:
        found = find_files(settings, INBOX.name, day)
        beside = [manifest.delivery_id for manifest in manifests]
        manifests.append(_take(settings, INBOX.name, found, span, bulk=False, beside=beside))
    return manifests


def take_history(settings: Settings, source: str, span: Span) -> Manifest:
    """Stage the files of the bulk history, and everything in the database of ``sql_url``, as one delivery.

    Raises:
        DeliveryError, SettingsError, ServiceError: as for a day.
    """
    land(settings, source, None)
    if settings.sql_url is not None:
        require_over(span, settings.shop_clock().now(), settings.zone)
        sql_history(settings, source)
    return _take(settings, source, find_files(settings, source, None), span, bulk=True)


def _arrived(settings: Settings, source: str, day: date) -> Found:
    """What lies in the day's landing folder; a database that has nothing new says that nothing happened."""
    if settings.sql_url is None:
        return find_files(settings, source, day)
    # first, so that a day that goes on is not read up to now and then left
    require_over(Span.of_day(day), settings.shop_clock().now(), settings.zone)
    exported = sql_file(settings, source, day)
    return find_files(settings, source, day, quiet="" if exported else "the database had no new rows")


def _take(
    settings: Settings, source: str, found: Found, span: Span, *, bulk: bool, beside: Sequence[str] = ()
) -> Manifest:
    described = describe(found.files, settings.unpacked_bytes)
    before = _published_before(settings, found, described, span)
    if before is not None:
        return before
    delivery = delivery_id(source, described, span)
    return ingest(
        settings,
        source,
        found.files,
        span,
        bulk=bulk,
        delivered_at=known_since(settings, delivery, found.folder),
        ignored_files=found.ignored,
        closed=found.closed,
        reason=found.reason,
        beside=beside,
    )


def _published_before(settings: Settings, found: Found, described: Sequence[SourceFile], span: Span) -> Manifest | None:
    """The delivery that lay in the folder until its files had their time; None: what lies there is to be taken.

    If their removal was cut short some are left; if all are there again, somebody put them back to be taken anew.
    """
    if found.published is None:
        return None
    before = read_published(settings.lake, found.published)
    if not set(described) < set(before.files):
        return None
    if before.span != span:
        raise DeliveryError(
            f"The files in {found.folder} were removed some time after they were published for {before.span}, "
            f"and are wanted for {span}.",
            "Put them back to take them for other days.",
        )
    return before
