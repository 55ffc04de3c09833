"""A build that fails leaves what was there before it, to the byte."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from features.versions import files_of
from features.views import views_of
from infra.lake import DAILY
from infra.partitions import Span
from infra.settings import Settings


@contextmanager
def undone_on_failure(settings: Settings, span: Span) -> Iterator[None]:
    """Whatever ends the block with an exception: tiles, features, checkpoints and notes are as they were before it.

    A process that is killed puts nothing back; of its days nothing is noted, so that they are built again.

    Args:
        span: the days that the block builds.
    """
    with _folder(settings.lake.before) as folder:
        # files are replaced and never changed, so a second name keeps the old one without a copy
        held = {path: folder / str(place) for place, path in enumerate(_written(settings, span))}
        for path, name in held.items():
            os.link(path, name)
        try:
            yield
        except BaseException:
            for path in (path for path in _written(settings, span) if path not in held):
                path.unlink()
            for path, name in held.items():
                name.replace(path)
            raise


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    shutil.rmtree(path, ignore_errors=True)  # of a killed process of the same number
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _written(settings: Settings, span: Span) -> list[Path]:
    """The files that a build of ``span`` writes or removes, as far as they are there."""
    lake, views = settings.lake, [view.name for view in views_of(settings)]
    named = ((*(lake.daily(kind, day) for kind in DAILY), lake.built(day)) for day in span.days())
    of_days = [path for paths in named for path in paths if path.exists()]
    of_views = [path for view in views for path in files_of(lake, view, span)]
    return of_days + of_views + [path for view in views for path in lake.checkpoint_folder(view).glob("dt=*.parquet")]
