"""The lake kept small: what had its time is merged or removed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from infra.clock import WallClock
from infra.settings import Settings


def merge_days(settings: Settings, *, dry_run: bool = False) -> dict[str, Any]:
    """Merge the many files of old closed days; returns days, files and bytes."""
    from features.events.keeping.compaction import compact

    merged = compact(settings, settings.shop_clock().now(), dry_run=dry_run)
    if merged.left:
        print(f"Left: {', '.join(merged.left)}; publish what was cut short there again.")
    return asdict(merged)


def retire_files(settings: Settings, *, dry_run: bool = False) -> dict[str, Any]:
    """Remove the files of the lake that had their time; returns files and bytes of each kind."""
    from features.events.keeping.retention import retire

    return asdict(retire(settings, settings.shop_clock().now(), WallClock().now(), dry_run=dry_run))


def retire_inbox(settings: Settings, *, dry_run: bool = False) -> dict[str, Any]:
    """Delete the rows of the inbox that are in the lake and had their time; returns how many."""
    from features.events.keeping.exported import forget_exported
    from infra.database import opened

    with opened(settings) as database:
        rows = forget_exported(settings, database, settings.shop_clock().now(), dry_run=dry_run)
    return {"rows": rows}


def retire_served(settings: Settings, *, dry_run: bool = False) -> dict[str, Any]:
    """Delete the kept answers that had their time; returns how many."""
    from infra.database import opened
    from infra.served import forget_served

    with opened(settings) as database:
        rows = forget_served(settings, database, settings.shop_clock().now(), dry_run=dry_run)
    return {"rows": rows}
