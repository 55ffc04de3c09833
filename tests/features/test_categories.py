"""Categories that a title names."""

from __future__ import annotations

import pytest

from features.categories import category_of


@pytest.mark.parametrize(
    ("title", "category"),
    [
        ("WHITE HANGING HEART T-LIGHT HOLDER", "holder"),
        ("SET OF 4 NAPKIN CHARMS LEAVES", "charm"),
        ("SET/6 BLACK BIRD T-LIGHT CANDLES", "candle"),
        ("PACK OF 72 RETROSPOT CAKE CASES", "case"),
        ("SCENTED CANDLE IN DIGITALIS TIN", "candle"),
        ("PIG KEYRING WITH LIGHT & SOUND", "keyring"),
        ('LETTER "E" BLING KEY RING', "keyring"),
        ("LUNCH BAG BLACK SKULL.", "bag"),
        ("METAL SIGN CUPCAKE SINGLE HOOK", "hook"),
        ("CAKE STAND VICTORIAN FILIGREE MED", "stand"),
        ("CHILDREN'S APRON DOLLY GIRL", "apron"),
        ("NUMBER TILE COTTAGE GARDEN 7", "tile"),
        ("Wireless headphones, black", "headphone"),
        ("PORCELAIN ROSE LARGE ", "rose"),
        ("PINK", "other"),
        ("22 x 4", "other"),
        ("", "other"),
        ("\u5b9d\u8d1d\u8fde\u8863\u88d9", "\u5b9d\u8d1d\u8fde\u8863\u88d9"),
    ],
)
def test_a_title_names_its_category(title: str, category: str) -> None:
    assert category_of(title) == category
