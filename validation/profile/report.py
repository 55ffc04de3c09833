"""The report: a profile as a file of its own in the lake, or where somebody wants it."""

from __future__ import annotations

from pathlib import Path

from infra.errors import MachineError, SettingsError
from infra.lake import written_aside
from infra.partitions import Span
from infra.settings import Settings
from validation.profile.findings import Profile
from validation.profile.measure import measure
from validation.profile.page import render


def report(settings: Settings, span: Span, out: Path | None = None) -> tuple[Profile, Path]:
    """Measure ``span`` and write its page.

    Args:
        out: the file to write; by default ``lake.profile(span)``.

    Returns:
        The profile, and where its page is.

    Raises:
        SettingsError: the span holds no day, or ``out`` is a folder.
        FeatureError: days of the span are not closed.
        MachineError: the file cannot be written, or memory is not enough; nothing is left half written.
    """
    path = out or settings.lake.profile(span)
    if path.is_dir():
        raise SettingsError(f"{path} is a folder.", "Name the file to write: --out FILE.")
    profile = measure(settings, span)
    page = render(profile)
    try:
        with written_aside(path) as aside:
            aside.write_text(page, encoding="utf-8")
    except OSError as error:
        raise MachineError(f"{path} cannot be written: {error.strerror}.", "Choose another file with --out.") from error
    return profile, path
