"""Amazon reviews (McAuley Lab): JSON lines with a rating and a text each, and metadata of the items.

Three spellings are read: those of 2014 and 2018 (``reviewerID``, ``overall``, seconds) and that of 2023
(``user_id``, ``rating``, milliseconds, variants of one product under ``parent_asin``). Metadata is read in
its spellings of 2018 and 2023; that of 2014 is no JSON. A review that is there twice is a slip.
"""

from __future__ import annotations

from typing import Final

from features.events.schema import (
    BRAND,
    CATEGORY_PATH,
    EVENT_TYPE,
    ITEM_ID,
    OCCURRED_AT,
    PRICE,
    RATING,
    TEXT,
    TITLE,
    USER_ID,
)
from features.events.sources.source import Catalogue, Source

_ITEM: Final = "{parent_asin|asin}"

AMAZON_REVIEWS: Final = Source(
    name="amazon-reviews",
    required=("reviewerID|user_id", "parent_asin|asin", "overall|rating", "unixReviewTime|timestamp"),
    optional=("summary", "title", "reviewText|text"),
    columns={
        USER_ID: "{reviewerID|user_id}",
        ITEM_ID: _ITEM,
        EVENT_TYPE: "'review'",
        OCCURRED_AT: "{unixReviewTime|timestamp}",
        RATING: "{overall|rating}",
        TEXT: "nullif(concat_ws(chr(10), {summary|title}, {reviewText|text}), '')",
    },
    sparse=True,
    catalogue=(
        Catalogue(
            required=("parent_asin|asin", "title", "category|categories"),
            columns={
                ITEM_ID: _ITEM,
                TITLE: "unescaped({title})",
                CATEGORY_PATH: "unescaped(path(coalesce({category}, {categories})))",
                BRAND: "unescaped({brand|store})",
                PRICE: "minor(CASE WHEN regexp_full_match({price}, '\\$?\\d{{1,3}}(,\\d{{3}})*(\\.\\d+)?') "
                "THEN replace(replace({price}, '$', ''), ',', '') ELSE replace({price}, '$', '') END)",
            },
        ),
    ),
)
