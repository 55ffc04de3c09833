"""What ``feast apply`` finds: every object of ``features.store.definitions``, for the settings of the environment.

Feast looks for objects among a module's names, so this module, unlike all others, does something on import.
"""

from __future__ import annotations

import logging

from features.store.definitions import definitions
from infra.settings import load_settings

# Feast takes a pattern for the name of one file, and would say at every apply that it is not there
logging.getLogger("feast.infra.offline_stores.file_source").setLevel(logging.ERROR)

globals().update({f"{type(found).__name__}_{found.name}": found for found in definitions(load_settings())})
