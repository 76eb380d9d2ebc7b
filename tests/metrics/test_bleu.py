import math

import numpy as np
import pytest

from limner.metrics import corpus_bleu
from limner.metrics.bleu import closest_length


def test_by_hand():
    """Three of four words, two of three pairs; four words against five: brevity exp(1 - 5/4)."""
    scores = corpus_bleu([["a", "red", "dog", "sat"]], [[["a", "red", "dog", "ran", "off"]]], 2)
    brevity = math.exp(1 - 5 / 4)
    assert scores[0] == pytest.approx(brevity * 3 / 4, rel=1e-6)
    assert scores[1] == pytest.approx(brevity * math.sqrt(3 / 4 * 2 / 3), rel=1e-6)


def test_a_word_counts_as_often_as_in_one_reference():
    scores = corpus_bleu([["the"] * 4], [[["the", "cat", "the", "mat"], ["the", "dog"]]], 1)
    assert scores[0] == pytest.approx(2 / 4, rel=1e-6)


@pytest.mark.parametrize(
    ("length", "references", "closest"), [(5, [3, 7], 3), (6, [3, 7], 7), (0, [4, 2], 2)]
)
def test_closest_length(length, references, closest):
    assert closest_length(length, references) == closest


def test_what_cannot_be_scored():
    with pytest.raises(ValueError, match="0 candidates"):
        corpus_bleu([], [])
    with pytest.raises(ValueError, match="1 candidates for 2 sets"):
        corpus_bleu([["a"]], [[["a"]], [["b"]]])


def test_equals_cocos(rng):
    """pycocoevalcap's BLEU is plain Python; it needs no Java."""
    bleu = pytest.importorskip("pycocoevalcap.bleu.bleu")
    words = np.array(list("abcdefgh"))

    def sentence(shortest=0):
        return list(words[rng.integers(8, size=rng.integers(shortest, 12))])

    candidates = [sentence() for _ in range(200)]
    references = [[sentence(1) for _ in range(rng.integers(1, 21))] for _ in range(200)]
    assert any(not candidate for candidate in candidates)
    theirs, _ = bleu.Bleu(4).compute_score(
        {i: [" ".join(r) for r in sentences] for i, sentences in enumerate(references)},
        {i: [" ".join(c)] for i, c in enumerate(candidates)},
        verbose=0,
    )
    np.testing.assert_allclose(corpus_bleu(candidates, references), theirs, atol=1e-12)
