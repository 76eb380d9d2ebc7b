import numpy as np

from limner.metrics.cider import DocumentFrequency, cider
from limner.metrics.corpus import Corpus

REFERENCES = [
    [["a", "red", "dog", "runs", "fast"], ["the", "dog", "runs"]],
    [["two", "cats", "sit", "still"]],
    [["a", "man", "rides", "a", "horse"]],
]


def test_a_caption_that_equals_its_only_reference_has_10():
    scores = cider(Corpus.of([REFERENCES[0][0], *(r[0] for r in REFERENCES[1:])], REFERENCES))
    np.testing.assert_allclose(scores[1:], 10)
    assert scores[0] < 10  # its other reference differs


def test_nothing_in_common_and_nothing_at_all():
    scores = cider(Corpus.of([["x"], [], ["y", "z"]], REFERENCES))
    np.testing.assert_array_equal(scores, 0)


def test_one_image_has_no_rare_words():
    assert cider(Corpus.of([["a", "dog"]], [[["a", "dog"]]])).tolist() == [0]


def test_own_frequencies_as_a_training_set_change_nothing():
    corpus = Corpus.of([["a", "dog", "runs"], ["two", "cats"], ["a", "horse"]], REFERENCES)
    frequency = DocumentFrequency.of(REFERENCES)
    np.testing.assert_allclose(cider(corpus, frequency), cider(corpus), rtol=1e-12)


def test_cider_d_does_not_depend_on_the_other_images():
    frequency = DocumentFrequency.of(REFERENCES)
    candidates = [["a", "dog"], ["two", "cats", "run"], ["a", "horse"]]
    together = cider(Corpus.of(candidates, REFERENCES), frequency)
    alone = [
        cider(Corpus.of([candidate], [references]), frequency)[0]
        for candidate, references in zip(candidates, REFERENCES, strict=True)
    ]
    np.testing.assert_allclose(alone, together, rtol=1e-12)


def test_frequencies_count_images_not_captions():
    frequency = DocumentFrequency.of([[["a", "a"], ["a"]], [["a", "dog"]], [["cat"]]])
    assert frequency.documents == 3
    assert frequency.counts == {"a": 2, "dog": 1, "cat": 1, "a a": 1, "a dog": 1}
