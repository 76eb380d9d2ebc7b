import pytest

from limner.metrics.corpus import Corpus


def test_candidates_and_references_share_numbers():
    corpus = Corpus.of([["a", "dog"], []], [[["a"], ["dog", "a"]], [["dog"]]])
    words, references = corpus.candidate_ngrams[0], corpus.reference_ngrams[0]
    assert words.texts == references.texts == ["a", "dog"]
    assert words.sentence.tolist() == [0, 0]
    assert references.sentence.tolist() == [0, 1, 1, 2]
    assert references.gram.tolist() == [0, 0, 1, 1]
    assert corpus.image.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("candidates", "references", "message"),
    [
        ([], [], "0 candidates"),
        ([["a"]], [[["a"]], [["b"]]], "1 candidates for 2 sets"),
        ([["a"]], [[]], "an image without a reference"),
    ],
)
def test_score_refuses_invalid_input(candidates, references, message):
    with pytest.raises(ValueError, match=message):
        Corpus.of(candidates, references)
