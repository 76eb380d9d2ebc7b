import msgspec
import pytest

from limner.config import annotations, meta_of
from limner.decoding import GREEDY, Decoding, DecodingConfig


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "beam search, 3 beams, length_penalty 1.0, no_repeat_ngram 2"),
        ({"beam_size": 1}, "greedy, no_repeat_ngram 2"),
        ({"beam_size": 1, "no_repeat_ngram": 0, "max_length": 9}, "greedy, max_length 9"),
        (
            {"n_best": 4, "length_penalty": 0.0, "no_repeat_ngram": 0},
            "beam search, 4 beams, n_best 4",
        ),
        (
            {"beam_size": 1, "n_best": 2},
            "beam search, 2 beams, n_best 2, length_penalty 1.0, no_repeat_ngram 2",
        ),
        (
            {"beam_size": 1, "forced": ("a",), "length_penalty": 0.0},
            "beam search, 1 beam, no_repeat_ngram 2, forced ('a',)",
        ),
        (
            {"groups": 3, "allow_unk": True, "diversity": 2},
            "beam search, 3 beams, length_penalty 1.0, no_repeat_ngram 2, allow_unk True, "
            "groups 3, diversity 2.0",
        ),
        ({"temperature": 0.5, "seed": 2}, "sampling, temperature 0.5, no_repeat_ngram 2, seed 2"),
        (
            {"temperature": 1, "top_k": 4, "top_p": 0.5, "n_best": 2},
            "sampling, temperature 1.0, n_best 2, no_repeat_ngram 2, top_k 4, top_p 0.5",
        ),
    ],
)
def test_the_options_that_have_an_effect_in_words(settings, text):
    assert str(DecodingConfig(**settings)) == text


def test_greedy_asks_for_nothing():
    assert str(GREEDY) == "greedy"
    assert GREEDY.greedy
    assert str(GREEDY.changed(beam_size=5, length_penalty=1.0)) == (
        "beam search, 5 beams, length_penalty 1.0"
    )
    assert str(GREEDY.changed(temperature=2.0)) == "sampling, temperature 2.0"
    assert Decoding is DecodingConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_best": 0}, "`n_best` 0: expected a whole number from 1 to 10,000"),
        (
            {"beam_size": 10**18},
            "`beam_size` 10+: expected a whole number from 1 to",
        ),
        ({"min_length": 30}, "`min_length` 30: expected 0 to 29 words"),
        ({"no_repeat_ngram": -1}, "`no_repeat_ngram` -1: expected a whole number from 0"),
        ({"temperature": 0.0}, "`temperature` 0.0: expected a number from 0.01 to 100"),
        ({"length_penalty": -1.0}, "`length_penalty` -1.0: expected a number from 0 to 100"),
        (
            {"temperature": 1.0, "top_k": 0},
            "`top_k` 0: expected a whole number from 1 to",
        ),
        ({"temperature": 1.0, "top_p": 0}, "`top_p` 0: expected a number above 0, at most 1"),
        ({"seed": -1}, "`seed` -1: expected a whole number from 0 to"),
        ({"forbidden": "dog"}, "`forbidden` dog: expected a list"),
        ({"top_k": 3}, "`top_k` has no effect with `temperature` unset: leave it out"),
        ({"top_p": 0.5}, "`top_p` has no effect with `temperature` unset"),
        ({"seed": 7}, "`seed` has no effect with `temperature` unset"),
        ({"diversity": 9}, "`diversity` has no effect with `groups` 1"),
        ({"temperature": 1.0, "groups": 2}, "`groups` has no effect with `temperature` 1.0"),
        ({"temperature": 1.0, "forced": ("a",)}, "`forced` has no effect with `temperature` 1.0"),
        ({"temperature": 1.0, "beam_size": 5}, "`beam_size` has no effect with `temperature` 1.0"),
        ({"temperature": 1.0, "length_penalty": 2.0}, "`length_penalty` has no effect with `temp"),
        (
            {"temperature": 1.0, "diversity": 1.0},
            "`diversity` has no effect with `temperature` 1",
        ),
        (
            {"beam_size": 1, "length_penalty": 2.0},
            "`length_penalty` has no effect with `beam_size`",
        ),
        (
            {"groups": 2, "beam_size": 3},
            "`groups` 2, `beam_size` 3: expected a multiple of `groups`, e.g. 4",
        ),
        ({"forced": ("a",), "forbidden": ("a",)}, "`forced` and `forbidden` both have 'a'"),
        (
            {"forced": ("a", "b"), "max_length": 2},
            "`max_length` 2: expected more than the 2 words of",
        ),
    ],
)
def test_invalid_options_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        DecodingConfig(**settings)


def test_every_number_has_limits_and_every_option_a_help():
    for name, annotation in annotations(DecodingConfig).items():
        kind, meta = meta_of(annotation)
        assert meta.description, name
        if kind in (int, float):
            assert meta.ge is not None or meta.gt is not None, name
            assert meta.le is not None, name


def test_fields_are_checked_as_they_are_read():
    with pytest.raises(msgspec.ValidationError, match="beam_size"):
        msgspec.json.decode(b'{"beam_size": 0}', type=DecodingConfig)
    read = msgspec.json.decode(b'{"forced": ["a"]}', type=DecodingConfig)
    assert read == DecodingConfig(forced=("a",))
