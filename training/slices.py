"""Kinds of users that figures are broken down by: a good mean may hide that new users are served badly."""

from __future__ import annotations

from typing import Final

from features.state import UserState

NEW: Final = "new"
LIGHT: Final = "light"
HEAVY: Final = "heavy"
SLICES: Final = (NEW, LIGHT, HEAVY)
#: Different items that a heavy user has interacted with, at least.
HEAVY_ITEMS: Final = 50


def slice_of(state: UserState) -> str:
    """``new``: never wanted an item before the moment; ``heavy``: at least 50 different ones; else ``light``."""
    items = len(state.history.items)
    return NEW if items == 0 else HEAVY if items >= HEAVY_ITEMS else LIGHT
