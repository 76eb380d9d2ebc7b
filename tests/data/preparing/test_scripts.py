"""Captions that the tokenizer mangles, found by what it does with them."""

import unicodedata

import pytest

from limner.data.preparing.scripts import mangled
from limner.vocabulary import tokenize

FINE = [
    "A dog's T-shirt, 3 cats -- and “quotes”!",
    "Ein Hündchen läuft über die Straße",
    "Собака бежит по траве",
    "Ένας σκύλος τρέχει",
    "كلب يجري على العشب",
    "강아지가 달린다",
    "con chó đang chạy",
    "एक कुत्ता दौड़ रहा है",
    "একটি কুকুর",
    "ஒரு நாய் ஓடுகிறது",
    unicodedata.normalize("NFD", "un café à la crème"),
    "כֶּלֶב רָץ",
]
NO_SPACES = {
    "一只狗在跑": "Chinese or Japanese",
    "いぬがはしる": "Japanese",
    "イヌ": "Japanese",
    "สุนัขวิ่ง": "Thai",
    "ខ្មែរ": "Khmer",
    "ໝາແລ່ນ": "Lao",
}


@pytest.mark.parametrize("caption", FINE)
def test_fine(caption):
    assert mangled([caption]) == []


@pytest.mark.parametrize("caption", NO_SPACES)
def test_written_without_spaces(caption):
    """The tokenizer makes one word of all of it."""
    assert NO_SPACES[caption] in {one.script for one in mangled([caption])}
    assert len(tokenize(caption)) == 1


def test_the_most_frequent_first():
    found = mangled(["いぬ", *["狗"] * 3, "a dog"])
    assert [(one.script, one.captions) for one in found] == [
        ("Chinese or Japanese", 3),
        ("Japanese", 1),
    ]
    assert str(found[0]).startswith("3 captions in Chinese or Japanese: a whole sentence becomes")
