"""The cleaning policy: what is done to values that are missing, out of range, or written in many ways."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.events.rules import AMOUNT_LIMIT, QUANTITY_LIMIT, RATING_RANGE
from features.events.schema import (
    BRAND,
    CATEGORY_PATH,
    DWELL_MS,
    PRICE,
    QUANTITY,
    RATING,
    SESSION_ID,
    TEXT,
    TITLE,
    USER_ID,
)
from infra.errors import SettingsError
from infra.settings import Settings

DEFAULT: Final = Path(__file__).with_name("cleaning.yaml")
#: Tells the words of Chinese apart.
SEGMENTER: Final = "rjieba"
AMOUNTS: Final = (DWELL_MS, QUANTITY, PRICE)
NUMBERS: Final = (*AMOUNTS, RATING)
CLEANED: Final = (USER_ID, SESSION_ID, *NUMBERS, TEXT)
WRITTEN: Final = (TITLE, CATEGORY_PATH, BRAND, TEXT)

EventType = Literal[
    "impression", "view", "click", "cart", "favorite", "purchase", "return", "review", "search", "login"
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Missing(_Part):
    """What becomes of a row without the value; ``of``: only of these types, none: of all."""

    then: Literal["keep", "drop", "impute"] = "keep"
    value: Annotated[float, Field(ge=0, le=1e9)] | Literal["median"] | None = None
    of: tuple[EventType, ...] = ()

    @model_validator(mode="after")
    def _value_where_needed(self) -> Self:
        if (self.then == "impute") != (self.value is not None):
            raise ValueError("impute needs a value (a number, or median); keep and drop have none")
        return self


class Outliers(_Part):
    """What becomes of values far above the others of their type; see ``cleaning.yaml``."""

    then: Literal["keep", "clip", "clear", "drop"] = "keep"
    deviations: float = Field(8, gt=0, le=100)
    spread: float = Field(0.5, gt=0, le=10)
    rows: int = Field(100, ge=2)


class Column(_Part):
    missing: Missing = Missing()
    outliers: Outliers | None = None


class Text(_Part):
    """How a text is written."""

    unicode: Literal["NFC", "NFKC", "keep"] = "keep"
    case: Literal["lower", "keep"] = "keep"
    spaces: Literal["collapse", "keep"] = "keep"
    segment: bool = False


class Bots(_Part):
    """Rates that no human reaches: more than this many events of these types in a minute, or in an hour."""

    of: tuple[EventType, ...] = ()
    per_minute: int = Field(default=120, ge=1)
    per_hour: int = Field(default=2000, ge=1)


class Policy(_Part):
    """All of it; ``digest`` tells one policy from another."""

    columns: Mapping[str, Column] = {}
    texts: Mapping[str, Text] = {}
    bots: Bots = Bots()

    @model_validator(mode="after")
    def _only_what_there_is(self) -> Self:
        for part, names, known in (("columns", self.columns, CLEANED), ("texts", self.texts, WRITTEN)):
            if strange := sorted(set(names) - set(known)):
                raise ValueError(f"{part} has no {', '.join(strange)}; it has {', '.join(known)}")
        for name, column in self.columns.items():
            if column.outliers is not None and name not in AMOUNTS:
                raise ValueError(f"columns.{name}.outliers: only {', '.join(AMOUNTS)} have any")
            if column.missing.then == "impute" and name not in NUMBERS:
                raise ValueError(f"columns.{name}.missing: only {', '.join(NUMBERS)} can be imputed")
            if isinstance(column.missing.value, float) and not _would_be_taken(name, column.missing.value):
                low, high = _BOUNDS[name]
                raise ValueError(
                    f"columns.{name}.missing: {column.missing.value:g} would be refused in a row; "
                    f"it must be from {low} to {high}, whole but for a rating"
                )
        return self

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


#: What a row may say, by the rules.
_BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    DWELL_MS: (0, AMOUNT_LIMIT),
    QUANTITY: (1, QUANTITY_LIMIT),
    PRICE: (0, AMOUNT_LIMIT),
    RATING: RATING_RANGE,
}


def _would_be_taken(name: str, value: float) -> bool:
    low, high = _BOUNDS[name]
    return low <= value <= high and (name == RATING or value.is_integer())


def load_policy(settings: Settings) -> Policy:
    """The policy of the settings, or the default one.

    Raises:
        SettingsError: it cannot be read, a part of it makes no sense (the message names the part), or it needs a
            library that is not installed.
    """
    path = settings.cleaning or DEFAULT
    mend = f"Mend it, or begin with a copy of {DEFAULT}."
    try:
        policy = Policy.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except ValidationError as error:
        lines = [": ".join([".".join(map(str, item["loc"])), item["msg"]]) for item in error.errors()]
        raise SettingsError(f"The cleaning policy {path} cannot be used: {'; '.join(lines)}.", mend) from error
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise SettingsError(f"The cleaning policy {path} cannot be read: {said}.", mend) from error
    if any(how.segment for how in policy.texts.values()):
        _require_segmenter(path)
    return policy


def _require_segmenter(path: Path) -> None:
    try:
        import_module(SEGMENTER)
    except ImportError as error:
        raise SettingsError(
            f"The cleaning policy {path} segments texts, and the library {SEGMENTER} is not installed.",
            "Install it with 'uv sync --extra chinese', or set segment to false.",
        ) from error
