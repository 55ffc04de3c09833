"""What ``feast apply`` finds: every object of ``features.store.definitions``, for the settings of the environment,
and the services of earlier versions that the registry holds.

Feast looks for objects among a module's names, so this module, unlike all others, does something on import.
"""

from __future__ import annotations

import logging

from features.store.definitions import definitions
from features.store.service_versions import earlier_services
from infra.settings import load_settings

# Feast takes a pattern for the name of one file, and would say at every apply that it is not there
logging.getLogger("feast.infra.offline_stores.file_source").setLevel(logging.ERROR)

_settings = load_settings()
_found = [*definitions(_settings), *earlier_services(_settings)]
globals().update({f"{type(one).__name__}_{one.name}": one for one in _found})
