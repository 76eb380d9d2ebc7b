import numpy as np
import pytest

from limner.evaluation.nearest_neighbors import consensus_captions, nearest_neighbours


def test_neighbours_in_blocks(rng, monkeypatch):
    features, known = rng.standard_normal((7, 5)), rng.standard_normal((50, 5))
    cosine = features @ (known / np.linalg.norm(known, axis=1, keepdims=True)).T
    best = np.sort(np.argsort(-cosine, axis=1)[:, :4], axis=1)
    assert (np.sort(nearest_neighbours(features, known, 4), axis=1) == best).all()
    monkeypatch.setattr("limner.evaluation.nearest_neighbors.SIMILARITIES", 60)
    assert (np.sort(nearest_neighbours(features, known, 4), axis=1) == best).all()


def test_fewer_known_images_than_neighbours(rng):
    known = rng.standard_normal((3, 5))
    found = nearest_neighbours(known, known, 90)
    assert np.sort(found, axis=1).tolist() == [[0, 1, 2]] * 3


def test_single_neighbor_with_single_caption(rng):
    known = rng.standard_normal((20, 5))
    captions = [[[f"w{i}", "x"]] for i in range(20)]
    assert consensus_captions(known, known, captions, k=1) == [several[0] for several in captions]


def test_the_others_agree_with_the_caption_that_is_taken(rng):
    """One by one: the sum of cosines of weighted n-grams."""
    words = list("abcdef")
    captions = [[list(rng.choice(words, rng.integers(1, 6))) for _ in range(3)] for _ in range(8)]
    sentences = [one for several in captions for one in several]

    def grams(sentence, n):
        return [tuple(sentence[i : i + n]) for i in range(len(sentence) - n + 1)]

    def cosine(one, other, n):
        weigh = {g: np.log(24 / sum(g in grams(s, n) for s in sentences)) for g in grams(one, n)}
        vectors = [{g: grams(s, n).count(g) for g in grams(s, n)} for s in (one, other)]
        weigh |= {g: np.log(24 / sum(g in grams(s, n) for s in sentences)) for g in grams(other, n)}
        u, v = ({g: c * weigh[g] for g, c in vector.items()} for vector in vectors)
        norms = [np.sqrt(sum(x * x for x in vector.values())) for vector in (u, v)]
        dot = sum(u[g] * v.get(g, 0) for g in u)
        return dot / np.prod(norms) if all(norms) else 0

    agreement = [
        sum(cosine(one, other, n) for other in sentences for n in (1, 2, 3, 4)) for one in sentences
    ]
    [chosen] = consensus_captions(
        rng.standard_normal((1, 4)), rng.standard_normal((8, 4)), captions
    )
    best = max(agreement)
    assert any(
        s == chosen and value == pytest.approx(best)
        for s, value in zip(sentences, agreement, strict=True)
    )
