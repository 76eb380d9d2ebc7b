import pytest

from limner.metrics import measure_diversity


def test_without_a_training_set():
    result = measure_diversity([["a"], ["b"], ["b"], ["b", "c"]])
    assert (result.distinct, result.vocabulary, result.mean_length) == (75, 3, 1.25)
    assert result.seen is None


def test_no_captions():
    with pytest.raises(ValueError, match="no captions"):
        measure_diversity([])
