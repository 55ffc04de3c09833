"""The gate run again over what is published, for its days' results and one site of data docs."""

from __future__ import annotations

from features.events.manifest import read_published
from infra.errors import DeliveryError
from infra.lake import read_json
from infra.partitions import Span
from infra.settings import Settings
from validation.expectations import Suites
from validation.gate_result import GateResult
from validation.partition_gate import verdict, write_docs


def published_on(settings: Settings, span: Span) -> list[str]:
    """Deliveries that brought events of these days or closed them, each once, by their first day here.

    Raises:
        DeliveryError: there is none.
    """
    partitions = (settings.lake.partition(day) for day in span.days())
    found = [delivery for path in partitions if path.exists() for delivery in read_json(path)["deliveries"]]
    if not found:
        raise DeliveryError(f"No delivery was published for {span}.", "Ingest these days first.")
    return list(dict.fromkeys(found))


def check_again(settings: Settings, span: Span, *, docs: bool = False) -> tuple[list[GateResult], str | None]:
    """Judge the published deliveries of some days; what was recorded of them stays as it is.

    Args:
        docs: build one site of data docs for all.

    Returns:
        A verdict a delivery, and the site's first page, relative to the lake.

    Raises:
        DeliveryError: nothing was published for these days.
    """
    suites = Suites()
    results = [
        verdict(settings, read_published(settings.lake, delivery), suites) for delivery in published_on(settings, span)
    ]
    return results, write_docs(settings, suites, str(span)) if docs else None
