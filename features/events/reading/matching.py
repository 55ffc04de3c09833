"""Which source a delivery comes from, and what each of its files is: found from the files' columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from features.events.reading.relations import TextFile
from features.events.sources import SOURCES, Catalogue, CategoryTree, Source
from features.events.sources.canonical import CANONICAL, INBOX
from infra.errors import DeliveryError

#: Between the spellings of one column.
SPELLINGS: Final = "|"

Placed = tuple[int, TextFile]
#: What a file of a source may be: its log, or what describes items and categories.
Kind = Source | Catalogue | CategoryTree


@dataclass(frozen=True)
class Sorted:
    """The files of a delivery by what they are, each with its place in the delivery, from 0."""

    events: tuple[Placed, ...] = ()
    catalogues: tuple[tuple[Catalogue, Placed], ...] = ()
    trees: tuple[Placed, ...] = ()


def source_of(files: Sequence[TextFile]) -> Source:
    """The source whose tables all ``files`` are; of several, the one that asks for most of their columns.

    Raises:
        DeliveryError: none fits, or several do equally well.
    """
    asked = {source.name: _asked(source, files) for source in SOURCES.values() if source is not INBOX}
    best = max(asked.values())
    found = [name for name, count in asked.items() if count == best]
    if best and len(found) == 1:
        return SOURCES[found[0]]
    if best:
        raise DeliveryError(f"{files[0].path} may come from {' or '.join(found)}.", "Name the source with --source.")
    strange = [file for file in files if not any(_kind(SOURCES[name], file) for name in asked)]
    if not strange:
        fits = [next(name for name in asked if _kind(SOURCES[name], file)) for file in files]
        told = "; ".join(f"{file.path} is of {name}" for file, name in dict(zip(files, fits, strict=True)).items())
        raise DeliveryError(
            f"The files are of several sources, or no log is among them: {told}.",
            "Deliver each source by itself, its items together with its events.",
        )
    near = min((SOURCES[name] for name in asked), key=lambda source: len(_missing(source.required, strange[0])))
    raise DeliveryError(
        f"{strange[0].path} fits no known source; its columns are {', '.join(strange[0].columns)}. "
        f"For the nearest, {near.name}, it lacks {_named(_missing(near.required, strange[0]))}.",
        f"Name the source with --source ({', '.join(asked)}), or name its columns as the source "
        f"{CANONICAL.name} does: {', '.join(CANONICAL.required)} and more. docs/sources.md adds a source.",
    )


def sort_files(source: Source, files: Sequence[TextFile]) -> Sorted:
    """Tell the log of ``source`` from what lies beside it.

    Raises:
        DeliveryError: a file lacks columns, or there is no log among them.
    """
    kinds = [(_kind(source, file), file) for file in files]
    for kind, file in kinds:
        if kind is None:
            raise DeliveryError(
                f"{file.path} has no column {_named(_missing(source.required, file))}; "
                f"found: {', '.join(file.columns)}.",
                "Rename the file's columns, or name the source that it comes from.",
            )
    placed = [(kind, (number, file)) for number, (kind, file) in enumerate(kinds)]
    events = tuple(file for kind, file in placed if isinstance(kind, Source))
    if files and not events:
        lacking = [f"{file.path} has no column {_named(_missing(source.required, file))}" for file in files]
        raise DeliveryError(
            f"No log is among the files: {'; '.join(lacking)}; found: {', '.join(files[0].columns)}.",
            f"Deliver items together with events; a log of {source.name} has {_named(source.required)}.",
        )
    return Sorted(
        events=events,
        catalogues=tuple((kind, file) for kind, file in placed if isinstance(kind, Catalogue)),
        trees=tuple(file for kind, file in placed if isinstance(kind, CategoryTree)),
    )


def _kind(source: Source, file: TextFile) -> Kind | None:
    """What the file is to the source; the log first, since its rows may describe items as well."""
    beside: list[Kind] = [*source.catalogue, *([source.tree] if source.tree else [])]
    fitting = [kind for kind in (source, *beside) if not _missing(kind.required, file)]
    return fitting[0] if fitting else None


def _asked(source: Source, files: Sequence[TextFile]) -> int:
    """How many of the files' columns the source asks for; 0 if one of them is not its own, or there is no log."""
    kinds = [_kind(source, file) for file in files]
    known = [kind for kind in kinds if kind is not None]
    complete = len(known) == len(kinds) and source in known
    return sum(len(kind.required) for kind in known) if complete else 0


def _missing(required: Sequence[str], file: TextFile) -> list[str]:
    return [column for column in required if not set(column.split(SPELLINGS)) & set(file.columns)]


def _named(columns: Sequence[str]) -> str:
    return ", ".join(column.replace(SPELLINGS, " or ") for column in columns)
