"""Days on which a shop is not like on others: its weekends, and the public holidays of its country."""

from __future__ import annotations

from datetime import date

from infra.settings import Settings


def unlike_others(settings: Settings, day: date) -> str:
    """Why less is expected of ``day``: a holiday's name, or its weekday; empty on any other day."""
    if settings.holidays:
        from holidays import country_holidays

        country, _, part = settings.holidays.partition("-")
        if name := country_holidays(country, subdiv=part or None, years=day.year).get(day):
            return str(name)
    weekday = f"{day:%A}"
    return weekday if weekday.lower() in settings.weekend_days else ""
