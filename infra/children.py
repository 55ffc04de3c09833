"""What a child process is told: the same home folder and settings as its parent's."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from infra.metrics_folder import left_by_feast
from infra.settings import PROJECT, Settings, load_settings

# no library of ours reports home, and none looks for a newer version of itself
SILENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GX_ANALYTICS_ENABLED": "False",
    "FEAST_USAGE": "False",
}
# TensorFlow greets with what the processor can do, on stderr: a page of a task's log that looks like errors
TERSE = {"TF_CPP_MIN_LOG_LEVEL": "2"}


def child_environment(settings: Settings) -> dict[str, str]:
    """This process's environment with the home folder, and the settings that a child would not find there."""
    programs = Path(sys.executable).parent
    foreign = left_by_feast(os.environ)
    return {
        **{name: value for name, value in os.environ.items() if name not in foreign},
        **SILENT,
        **TERSE,
        "PENCHANT_HOME": str(settings.home),
        "PYTHONPATH": os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHONUNBUFFERED": "1",
        "PATH": os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)]),
        **_overrides(settings),
    }


def _overrides(settings: Settings) -> dict[str, str]:
    """Settings given in code: environment and ``settings.toml`` say something else, or nothing."""
    found = load_settings(settings.home)
    names = [name for name in type(settings).model_fields if getattr(settings, name) != getattr(found, name)]
    return {f"PENCHANT_{name.upper()}": _text(getattr(settings, name)) for name in names}


def _text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, (tuple, dict)) else str(value)
