"""From closed days to features, in the lake and online."""

from __future__ import annotations

from typing import Any

from infra.errors import ServiceError
from infra.partitions import Span
from infra.settings import Settings


def build(settings: Settings, span: Span) -> dict[str, Any]:
    """Build the features of the span, of closed days before it that nobody has built, and of changed days.

    Returns:
        the whole span that was built, the rows, and ``reissued``: days built before that are not what they were.
    """
    from features.build import build as build_views
    from features.days import due
    from features.reissue import watching

    whole = due(settings, span)
    with watching(settings, span, whole) as watch:
        built = build_views(settings, whole, lambda what, n, m: print(f"{n} of {m}: {what}"), only_new=True)
        again = [str(day) for day in watch.reissued()]
    return {"start": str(whole.start), "end": str(whole.end), **built, "reissued": again}


def require_stores(settings: Settings) -> None:
    """Hold that the servers answer which features are put into.

    Raises:
        ServiceError: one does not; nothing has changed.
    """
    from infra.database import opened
    from infra.valkey import valkey_answers

    with opened(settings) as database, database.connect():
        pass
    if not valkey_answers(settings):
        raise ServiceError("Valkey does not answer.", "Start it with 'penchant up', or mend PENCHANT_VALKEY_URL.")


def materialise(settings: Settings, span: Span) -> dict[str, Any]:
    """Put the rows of the span into the online store."""
    from features.store.materialise import materialise as materialise_views

    return {"span": str(span), **materialise_views(settings, span)}
