"""The landing zone's far end: a folder below ``landing_url`` is copied here, whole or not at all, and then taken."""

from __future__ import annotations

from datetime import date

from features.events.reading.fetch import copied, is_there
from infra.lake import written_aside
from infra.settings import Settings


def land(settings: Settings, source: str, day: date | None) -> None:
    """Copy the folder of one day, or of the bulk history (``day`` is None), unless something lies here already.

    What is added there afterwards is not seen: a delivery is what lay there when it was taken.

    Raises:
        DeliveryError: the URL cannot be read; that there is no such folder is no error.
        SettingsError: the URL needs a library that is not installed.
    """
    folder = settings.lake.landing_history(source) if day is None else settings.lake.landing_day(source, day)
    if settings.landing_url is None or (folder.is_dir() and any(folder.iterdir())):
        return
    url = f"{settings.landing_url.get_secret_value().rstrip('/')}/{source}/{folder.name}"
    if is_there(url):
        with written_aside(folder) as aside:
            copied(url, aside)
