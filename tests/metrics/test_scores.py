import numpy as np
import pytest

from limner.metrics import DocumentFrequency, score
from limner.metrics.scores import BY_CAPTION

WORDS = np.array([f"w{i}" for i in range(1500)])
ZIPF = 1 / np.arange(1, len(WORDS) + 1)
ZIPF /= ZIPF.sum()


def sentence(rng, shortest=1):
    return WORDS[rng.choice(len(WORDS), rng.integers(shortest, 16), p=ZIPF)].tolist()


def candidate(rng, references):
    """A reference, one with some words changed, something else, or nothing."""
    first = references[0]
    kind = rng.integers(5)
    if kind == 0:
        return sentence(rng, 0)
    if kind == 1:
        return first
    return [word if rng.random() < 0.7 else str(rng.choice(WORDS)) for word in first]


def coco_scores(candidates, references):
    """pycocoevalcap's BLEU, ROUGE-L and CIDEr are plain Python; they need no Java."""
    bleu = pytest.importorskip("pycocoevalcap.bleu.bleu").Bleu(4)
    rouge = pytest.importorskip("pycocoevalcap.rouge.rouge").Rouge()
    cider = pytest.importorskip("pycocoevalcap.cider.cider").Cider()
    wanted = {i: [" ".join(r) for r in several] for i, several in enumerate(references)}
    said = {i: [" ".join(c)] for i, c in enumerate(candidates)}
    corpus, per_image = bleu.compute_score(wanted, said, verbose=0)
    result = {f"BLEU-{n + 1}": (corpus[n], per_image[n]) for n in range(4)}
    result["ROUGE-L"] = rouge.compute_score(wanted, said)
    result["CIDEr"] = cider.compute_score(wanted, said)
    return result


def assert_equal_to_coco(candidates, references):
    ours = score(candidates, references)
    for name, (corpus, per_image) in coco_scores(candidates, references).items():
        assert ours.corpus[name] == pytest.approx(100 * corpus, abs=1e-8)
        np.testing.assert_allclose(ours.per_image[name], 100 * np.array(per_image), atol=1e-8)


def test_5000_synthetic_images(rng):
    counts = [rng.integers(1, 21) if i % 50 == 0 else 5 for i in range(5000)]
    references = [[sentence(rng) for _ in range(count)] for count in counts]
    candidates = [candidate(rng, wanted) for wanted in references]
    assert any(not c for c in candidates)
    assert_equal_to_coco(candidates, references)


@pytest.mark.parametrize(
    ("candidates", "references"),
    [
        ([[], ["a"]], [[["a", "b"]], [["a"]]]),
        ([[], []], [[["a", "b"]], [["b"]]]),
        ([["a"], ["b"]], [[[], ["a"]], [["a", "b"]]]),
        ([["a", "b", "c"]], [[["a", "b", "c"]]]),
        ([["a"] * 30, ["a"]], [[["a"] * 10] * 20, [["b"]]]),
        ([["x", "y"], ["z"]], [[["a"]], [["b"]]]),
    ],
    ids=["empty", "all empty", "empty reference", "one image", "repeated", "strangers"],
)
def test_hard_cases(candidates, references):
    assert_equal_to_coco(candidates, references)


def test_names_and_scale():
    references = [[["a", "red", "dog", "runs"]], [["two", "cats", "sit", "there"]]]
    frequency = DocumentFrequency.of(references)
    scores = score([several[0] for several in references], references, frequency).corpus
    assert list(scores) == [*(f"BLEU-{n}" for n in (1, 2, 3, 4)), *BY_CAPTION, "CIDEr", "CIDEr-D"]
    assert {name: round(value) for name, value in scores.items() if "CIDEr" not in name} == {
        **{f"BLEU-{n}": 100 for n in (1, 2, 3, 4)},
        **dict.fromkeys(BY_CAPTION, 100),
    }
    assert scores["CIDEr"] == scores["CIDEr-D"] == pytest.approx(1000)
