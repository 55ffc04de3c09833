"""Variables that Feast leaves behind, which would break whoever inherits them.

Imported anywhere, also by MLflow as a plugin, Feast names a temporary folder of its own in which
``prometheus_client`` is to keep metrics. The folder is gone when the process is; the variables go on
to its children, and importing ``prometheus_client`` there fails, or fills files that nobody reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_NAMES = ("PROMETHEUS_MULTIPROCESS_DIR", "PROMETHEUS_MULTIPROC_DIR")
_FEASTS = "feast_metrics_"


def left_by_feast(environment: Mapping[str, str]) -> list[str]:
    """Names of such variables in ``environment``; a folder that somebody else named is not among them."""
    return [name for name in _NAMES if Path(environment.get(name, "")).name.startswith(_FEASTS)]
