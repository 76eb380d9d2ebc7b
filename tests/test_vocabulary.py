import json
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.errors import InputError
from limner.vocabulary import SPECIAL, Vocabulary, characters, decode_captions, tokenize

WORDS = ["<NULL>", "<START>", "<END>", "<UNK>", "a", "dog", "runs"]


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A dog runs .", ["a", "dog", "runs"]),
        ("The dog's T-shirt", ["the", "dog's", "t-shirt"]),
        ("the girl 's ball", ["the", "girl", "'s", "ball"]),
        ("a 'quoted' word", ["a", "quoted", "word"]),
        ("Don’t -- stop!", ["don't", "stop"]),
        ("2 cafés, 10%", ["2", "cafés", "10"]),
        ("snake_case", ["snake", "case"]),
        ("एक कुत्ता, दौड़ रहा है।", ["एक", "कुत्ता", "दौड़", "रहा", "है"]),
        ("con chó đang chạy", ["con", "chó", "đang", "chạy"]),
        ("می‌خواهم", ["می‌خواهم"]),
        ("नहीं-हाँ", ["नहीं-हाँ"]),
        ("\u0301 a", ["a"]),
        ("", []),
        ("?!", []),
    ],
)
def test_tokenize(caption, words):
    assert tokenize(caption) == words


@pytest.mark.parametrize("caption", ["Ein Hündchen über Cafés", "con chó đang chạy", "दौड़"])
def test_both_normal_forms_are_one(caption):
    """A Mac writes file names, and some programs texts, with accents apart (form D)."""
    composed, apart = (unicodedata.normalize(form, caption) for form in ("NFC", "NFD"))
    assert tokenize(apart) == tokenize(composed)
    vocabulary = Vocabulary.build([tokenize(composed)])
    assert not any(is_unknown for _, is_unknown in vocabulary.marked(apart))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_nothing_of_a_word_is_lost(text):
    """Letters, digits and their marks, of any script, are all in some word."""
    expected = unicodedata.normalize("NFC", text).lower()
    found = "".join(tokenize(text))
    assert sorted(filter(str.isalnum, found)) == sorted(filter(str.isalnum, expected))


def test_build_counts_and_orders():
    captions = [["b", "a"], ["a", "c"], ["a", "b"], ["d"]]
    assert Vocabulary.build(captions, 2).idx_to_word == (*SPECIAL, "a", "b")
    assert Vocabulary.build(captions, 1).idx_to_word == (*SPECIAL, "a", "b", "c", "d")


def test_encode_pads_truncates_and_marks_unknown_words():
    vocabulary = Vocabulary(tuple(WORDS))
    assert vocabulary.encode(["a", "cat", "runs"], 7).tolist() == [1, 4, 3, 6, 2, 0, 0]
    assert vocabulary.encode(["a", "dog", "runs"], 4).tolist() == [1, 4, 5, 2]


@given(st.lists(st.sampled_from(["a", "dog", "runs"]), max_size=8))
def test_decode_inverts_encode(words):
    vocabulary = Vocabulary(tuple(WORDS))
    assert vocabulary.decode(vocabulary.encode(words, 10)) == " ".join(words)


def test_decode_captions_as_the_course_does():
    row = np.array([1, 4, 0, 5, 2, 6, 0])
    assert decode_captions(row, WORDS) == "<START> a dog <END>"
    assert decode_captions(np.array([row, [0] * 7]), WORDS) == ["<START> a dog <END>", ""]
    assert decode_captions(np.array([[5, 6]]), WORDS) == ["dog runs"]


def test_file_round_trip_keeps_the_fingerprint(tmp_path):
    vocabulary = Vocabulary.build([["café", "dog"]])
    file = tmp_path / "vocab.json"
    file.write_text(vocabulary.to_json(), encoding="utf-8")
    assert Vocabulary.load(file) == vocabulary
    assert Vocabulary.load(file).sha256 == vocabulary.sha256
    assert json.loads(file.read_text("utf-8"))["word_to_idx"]["café"] == 4
    assert Vocabulary.build([["dog"]]).sha256 != vocabulary.sha256


@pytest.mark.parametrize("content", ["", "{", "[]", '{"idx_to_word": 3}', '{"idx_to_word": ["a"]}'])
def test_a_file_that_is_no_vocabulary(tmp_path, content):
    file = tmp_path / "vocab.json"
    file.write_text(content)
    with pytest.raises(InputError, match=r"vocab\.json: "):
        Vocabulary.load(file)


def test_ids_with_a_gap():
    with pytest.raises(ValueError, match="without a gap"):
        Vocabulary.from_mapping({"<NULL>": 0, "cat": 2})


def test_characters():
    captions = [characters(tokenize(text)) for text in ("A dog!", "Two  dogs.")]
    vocabulary = Vocabulary.build(captions)
    assert (vocabulary.of_characters, vocabulary.unit) == (True, "characters")
    ids = vocabulary.encode(captions[1], 14)
    assert vocabulary.decode(ids) == "two dogs"
    assert vocabulary.split("two dogs") == captions[1]
    words = Vocabulary.build([["two", "dogs"]])
    assert (words.of_characters, words.unit) == (False, "words")
    assert words.split("two dogs") == ["two", "dogs"]


@pytest.mark.parametrize(
    ("caption", "unknown"),
    [
        ("A dog's Dog, and a CAT!", ["Dog", "and", "CAT"]),
        ("a dog’s", []),
        ("İ dog’s ẞ a İİ", ["İ", "ẞ", "İİ"]),
        ("ΣΑΣ a", ["ΣΑΣ"]),
        ("...", []),
        ("", []),
    ],
)
def test_marked_finds_the_positions_of_unknown_words(caption, unknown):
    """However long a letter becomes when it is made small."""
    vocabulary = Vocabulary((*SPECIAL, "a", "dog's"))
    pieces = vocabulary.marked(caption)
    assert "".join(text for text, _ in pieces) == caption
    assert [text for text, is_unknown in pieces if is_unknown] == unknown


def test_a_word_with_an_unknown_character_is_marked():
    vocabulary = Vocabulary((*SPECIAL, " ", "a", "d", "g", "o"))
    assert vocabulary.marked("A dog, a cat") == [("A dog, a ", False), ("cat", True)]
