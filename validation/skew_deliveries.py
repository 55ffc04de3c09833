"""When something could be known, by what published deliveries say."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta

from features.catalogue import catalogue
from features.events.manifest import published
from features.events.schema import CATEGORY, ITEM_ID
from infra.partitions import day_end, day_of
from infra.settings import Settings


class Deliveries:
    """The published deliveries, read once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._published = published(settings.lake)
        self._closed: defaultdict[date, list[datetime]] = defaultdict(list)
        for one in self._published:
            for day in one.span.days() if one.closes else ():
                self._closed[day].append(one.delivered_at)
        self._categories: dict[int, dict[str, str]] = {}

    def online_at(self, as_of: datetime, at: datetime) -> datetime:
        """When the last of the day before ``as_of`` was delivered that an answer at ``at`` could stand on."""
        day = day_of(as_of, self._settings.zone) - timedelta(days=1)
        return max((moment for moment in self._closed[day] if moment <= at), default=at)

    def known_at(self, as_of: datetime, at: datetime) -> list[datetime]:
        """``online_at``, and when more was told until ``at``: what that changed may have been online, or on its way."""
        online = self.online_at(as_of, at)
        told = {one.delivered_at for one in self._published if not one.bulk and online < one.delivered_at <= at}
        return [online, *sorted(told)]

    def next_days(self, as_of: datetime, at: datetime) -> list[datetime]:
        """The ends of the closed days after ``as_of`` that had been delivered at ``at``, with none missing before."""
        zone, found = self._settings.zone, []
        day = day_of(as_of, zone)
        while any(moment <= at for moment in self._closed[day]):
            found.append(day_end(day, zone))
            day += timedelta(days=1)
        return found

    def categories(self, at: datetime) -> dict[str, str]:
        """Of each item that had been told at ``at`` its category."""
        told = sum(one.delivered_at <= at for one in self._published)
        if told not in self._categories:
            items = catalogue(self._settings, at)
            self._categories[told] = dict(zip(items[ITEM_ID].to_pylist(), items[CATEGORY].to_pylist(), strict=True))
        return self._categories[told]
