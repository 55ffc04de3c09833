"""Features of users at past moments as Feast itself retrieves them, on whatever engine the settings name."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa

from features.engine import default_engine, retrieved
from features.events.schema import USER_ID
from features.service import service_version
from features.store.repository import open_store
from features.store.service_versions import service_of
from features.views import views_of
from infra.settings import Settings

_ROW: Final = "penchant_row"


def feast_rows(settings: Settings, moments: pa.Table) -> pa.Table:
    """``moments`` with the columns of all user views, as ``features.store.point_in_time.user_rows`` gives them.

    Args:
        moments: columns ``user_id`` and ``event_timestamp`` (UTC); others are kept.

    Raises:
        FeatureError: the registry does not know these definitions.
    """
    asked = moments.append_column(_ROW, pa.array(np.arange(len(moments))))
    with default_engine(settings) as connection:
        store = open_store(settings)
        service = service_of(store, service_version(settings))
        retrieve = partial(store.get_historical_features, features=service, filter_by_created_timestamp=True)
        found = retrieved(connection, asked, retrieve)
    views = [view for view in views_of(settings) if view.entity == USER_ID]
    columns = [field for view in views for field in view.schema if field.name in view.columns]
    schema = pa.schema([*moments.schema, *columns])
    return found.sort_by(_ROW).select(schema.names).cast(schema)
