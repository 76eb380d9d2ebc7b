import numpy as np
import pytest

from limner.metrics import compare, intervals, score


def sentences(rng, count, words="abcdefgh"):
    return [list(rng.choice(list(words), size=rng.integers(1, 9))) for _ in range(count)]


@pytest.fixture
def references(rng):
    return [sentences(rng, 3) for _ in range(120)]


def test_a_score_lies_in_its_interval(rng, references):
    scores = score(sentences(rng, 120), references)
    found = intervals(scores)
    assert list(found) == list(scores.corpus)
    for name, (low, high) in found.items():
        assert low < scores.corpus[name] < high


def test_interval_of_a_mean_agrees_with_statistics(rng, references):
    scores = score(sentences(rng, 120), references)
    values = scores.per_image["ROUGE-L"]
    low, high = intervals(scores)["ROUGE-L"]
    error = values.std() / np.sqrt(len(values))
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.1)


def test_resampling_is_scoring_the_resampled_set(rng, references):
    candidates = sentences(rng, 120)
    drawn = rng.integers(120, size=120)
    weights = np.bincount(drawn, minlength=120)[None].astype(float)
    again = score([candidates[i] for i in drawn], [references[i] for i in drawn])
    resampled = score(candidates, references).resampled(weights)
    for name in ("BLEU-1", "BLEU-4", "ROUGE-L"):
        assert resampled[name][0] == pytest.approx(again.corpus[name], abs=1e-9)


def test_a_real_difference_and_none(rng, references):
    right = [wanted[0] for wanted in references]
    bad = score(sentences(rng, 120), references)
    difference = compare(bad, score(right, references))["BLEU-4"]
    assert difference.real
    assert difference.value > 10
    assert difference.p_value == pytest.approx(2 / 1001)
    same = compare(bad, bad)["CIDEr"]
    assert (same.value, same.interval, same.p_value, same.real) == (0, (0, 0), 1, False)
    other = compare(bad, score(sentences(rng, 120), references))["ROUGE-L"]
    assert not other.real


def test_many_images_are_resampled_in_blocks(rng, references, monkeypatch):
    scores = score(sentences(rng, 120), references)
    whole = intervals(scores)
    monkeypatch.setattr("limner.metrics.bootstrap.AT_A_TIME", 50_000)
    for name, ends in intervals(scores).items():
        np.testing.assert_allclose(ends, whole[name])


def test_different_sets():
    one, two = (score([["a"]] * n, [[["a"]]] * n) for n in (1, 2))
    with pytest.raises(ValueError, match="scores of 1 and of 2 images"):
        compare(one, two)
