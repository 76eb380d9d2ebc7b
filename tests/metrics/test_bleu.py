import math

import numpy as np
import pytest

from limner.metrics.bleu import bleu, bleu_counts, closest_length
from limner.metrics.corpus import Corpus


def scores(candidates, references):
    return bleu(bleu_counts(Corpus.of(candidates, references)))


def test_by_hand():
    """Three of four words, two of three pairs; four words against five: brevity exp(1 - 5/4)."""
    [row] = scores([["a", "red", "dog", "sat"]], [[["a", "red", "dog", "ran", "off"]]])
    brevity = math.exp(1 - 5 / 4)
    assert row[0] == pytest.approx(brevity * 3 / 4, rel=1e-6)
    assert row[1] == pytest.approx(brevity * math.sqrt(3 / 4 * 2 / 3), rel=1e-6)


def test_a_word_counts_as_often_as_in_one_reference():
    [row] = scores([["the"] * 4], [[["the", "cat", "the", "mat"], ["the", "dog"]]])
    assert row[0] == pytest.approx(2 / 4, rel=1e-6)


def test_a_set_is_scored_by_summed_counts():
    candidates, references = [["a", "dog"], ["cat"]], [[["a", "dog"]], [["b"]]]
    counts = bleu_counts(Corpus.of(candidates, references))
    assert bleu(counts.sum(axis=0))[0] == pytest.approx(2 / 3, rel=1e-6)
    np.testing.assert_allclose(bleu(counts)[:, 0], [1, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("length", "references", "closest"), [(5, [3, 7], 3), (6, [3, 7], 7), (0, [4, 2], 2)]
)
def test_closest_length(length, references, closest):
    assert closest_length(length, references) == closest
