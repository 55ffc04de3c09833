# ruff: noqa: SIM905 (a list of words reads best as words)
"""Categories for shops that bring none: the thing that a title names.

Titles pile words around a noun: "SET OF 4 PINK POLKADOT NAPKINS IN TIN" is about napkins. What
follows a preposition goes, then packaging, sizes, colours and numbers. Of the words that are left the
last that names a kind of good wins, otherwise the last one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

OTHER: Final = "other"

_PACKED: Final = re.compile(
    r"^(?:(?:set|pack|box|bag|pair|roll|tube|bundle|case|jar)\s+(?:of|/)?\s*(?:\d+|of|two|three|four|five|six)\b"
    r"|(?:set|s|pk|x)\s*/\s*\d+|\d+\s*(?:pc|pcs|piece|pack)\b)\s*"
)
_AFTER: Final = re.compile(r"\b(?:with|w|of|for|in|on|from|to|by|the|and|&)(?:\s|/|$)")
_WORD: Final = re.compile(r"[^\W\d_][^\W\d_'\u2019-]*[^\W\d_]")  # two letters or more, no digits

_QUALITIES: Final = frozenset(
    """
    amber amethyst black blue bronze brown clear coloured colour colours copper cream crystal dark fuschia gold
    golden green grey gray ivory jet lilac multi multicolour natural orange pastel pink purple red ruby silver
    turq turquoise white yellow col des design designs style shape shaped size finish font print
    assorted ass asst asstd big giant jumbo large long medium mini small tall tiny med sml lge cm mm inch
    antique baroque edwardian english french modern retro victorian vintage funky classic traditional
    acrylic ceramic enamel metal wood wooden zinc paper plastic cotton polyester silk felt glass porcelain
    round square oval hanging painted scented decorative new set piece pack pcs pc tier asstd single double
    """.split()
)

_GOODS: Final = frozenset(
    """
    album apron badge bag ball balloon bangle bank basin basket bath bauble beaker bell bin birdhouse
    blackboard board book bookmark bottle bow bowl box bracelet broom brooch brush bucket bunting burner
    button cabinet cake calendar candelabra candle candleholder candlestick canister card carousel case
    chain chair chalkboard chandelier charm chest chime chopstick clip clock cloth coaster
    comb compact cone confetti container cooler cosy cover cracker crayon crate cup cupboard curtain cushion cutlery
    decoration dish doily doll dominoes door doormat doorstop drawer drum earring easel envelope
    eraser fan figurine filler fork flannel flask frame game garland glove gnome goblet grip guitar
    hairclip hammock handbag hanger hanky hat headphone heater holder hook hottie house incense
    invite jar jewellery jigsaw journal jug kettle keyring kit knob ladder ladle lamp lampshade lantern lead
    light lighter lipstick lolly machine magnet mask mat match menu mirror mitt mould
    muff mug napkin necklace necklet notebook notepad organiser ornament ottoman pad pan paperweight
    parasol patch peg pen pencil pendant photoframe picture pillow pin pinwheel placemat planter plaque plaster
    plate playhouse popcorn poster pot pouch pram puppet purse puzzle quilt rack radio raincoat reel
    ribbon ring rosette rucksack rug ruler sack saucer saucepan scarf scissor scoop screen
    sharpener sheet shelf shelter shoe shovel sign sketchbook slate slipper soap sock
    spade spoon sponge stamp stand stationery stencil sticker stocking stool string table tag tape tassel
    tattoo teapot tent thermometer throw tidy tie tile tin tinsel tissue tongs torch towel toy tray
    trinket trivet truck trumps tub tube umbrella vase wallet warmer washbag watch wheelbarrow whistle wrap
    wreath
    """.split()
)

#: Spellings of one thing.
_SAME: Final = {
    "necklet": "necklace",
    "necklacet": "necklace",
    "necklac": "necklace",
    "neckl": "necklace",
    "t-light": "light",
    "tlight": "light",
    "photoframe": "frame",
    "candleholder": "holder",
    "key-ring": "keyring",
    "dec": "decoration",
    "p'weight": "paperweight",
    "knives": "knife",
    "leaves": "leaf",
    "shelves": "shelf",
    "scarves": "scarf",
    "dominoe": "dominoes",
}


@lru_cache(maxsize=65_536)
def category_of(title: str) -> str:
    """The category of an item with this title: one lower-case singular noun, ``other`` if it names none."""
    text = _PACKED.sub("", title.lower().strip()).replace("key ring", "keyring")
    words = _words(_AFTER.split(text, maxsplit=1)[0]) or _words(text)
    goods = [word for word in words if word in _GOODS]
    return (goods or words or [OTHER])[-1]


def _words(text: str) -> list[str]:
    words = (_SAME.get(word, _SAME.get(_singular(word), _singular(word))) for word in _WORD.findall(text))
    return [word for word in words if word not in _QUALITIES and len(word) > 2]


def _singular(word: str) -> str:
    word = word.removesuffix("'s").removesuffix("\u2019s")
    if word.endswith("ies") and len(word) > 5:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return word[:-1]
    return word
