"""CIDEr, as in COCO's evaluation, and CIDEr-D.

    CIDEr = 10 * mean over n of  mean over references of
            exp(-(l_c - l_r)^2 / (2 sigma^2)) * (min(g_c, g_r) . g_r) / (|g_c| |g_r|)

g_c and g_r are the tf-idf vectors of the n-grams of the candidate and the reference: the count
times `log(documents / documents with the n-gram)`, where a document is all references of an image.
l_c and l_r are the numbers of bigrams, sigma = 6, n = 1 to 4.

COCO's tools call this formula CIDEr (the paper calls it CIDEr-D: clipped by the minimum, and with
the Gaussian), with the document frequencies of the evaluated references, so that it depends on the
set and is unreliable for a small one. Here, CIDEr-D is the same formula with the document
frequencies of a training set. The score of a set is the mean over its images.

Source: R. Vedantam, C. L. Zitnick and D. Parikh, "CIDEr: consensus-based image description
evaluation", CVPR 2015.

Shapes: N images, R references, S sentences, G distinct n-grams, M rows of `Ngrams`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from limner.metrics.corpus import MAX_N, Corpus
from limner.metrics.ngrams import Ngrams, Tokens, lookup
from limner.typing import Array, Float, Int

SIGMA = 6.0


@dataclass(frozen=True)
class DocumentFrequency:
    """Document frequencies of n-grams.

    Attributes:
        documents: number of documents.
        counts: number of documents with each n-gram, by its words joined by spaces.
    """

    documents: int
    counts: Mapping[str, int]

    @classmethod
    def of(cls, references: Sequence[Sequence[Tokens]]) -> "DocumentFrequency":
        """Count the n-grams of tokenized references; those of an image form a document.

        Args:
            references: tokenized references of each image.

        >>> frequency = DocumentFrequency.of([[["a", "dog"], ["a", "cat"]], [["a", "dog"]]])
        >>> frequency.counts["a"], frequency.counts["a dog"], frequency.counts["a cat"]
        (2, 2, 1)
        """
        corpus = Corpus.of([[]] * len(references), references)
        counts: dict[str, int] = {}
        for n in range(MAX_N):
            ngrams = corpus.reference_ngrams[n]
            counts |= zip(ngrams.texts, _documents(corpus, n).tolist(), strict=True)
        return cls(len(references), counts)


def cider(corpus: Corpus, frequency: DocumentFrequency | None = None) -> Float[Array, " N"]:
    """CIDEr of each image, from 0 to 10.

    Args:
        corpus: candidates and references.
        frequency: document frequencies; None takes those of the references.

    Returns:
        (N,) scores.

    >>> corpus = Corpus.of([["a", "dog"], ["a", "cat"]], [[["a", "dog"]], [["one", "cat"]]])
    >>> cider(corpus).round(2)
    array([5.  , 1.25])
    """
    similarity = np.zeros(len(corpus.image))
    for n in range(MAX_N):
        documents, counts = len(corpus.candidates), _documents(corpus, n)
        if frequency:
            texts = corpus.reference_ngrams[n].texts
            documents = frequency.documents
            counts = np.array([frequency.counts.get(text, 0) for text in texts])
        idf = np.log(documents) - np.log(np.maximum(counts, 1))
        similarity += _similarity(corpus, n, idf)

    bigrams = _bigrams([one for several in corpus.references for one in several])
    difference = _bigrams(corpus.candidates)[corpus.image] - bigrams
    similarity *= np.exp(-(difference**2) / (2 * SIGMA**2))
    total = np.bincount(corpus.image, similarity)
    return 10 * total / MAX_N / np.bincount(corpus.image)


def _similarity(corpus: Corpus, n: int, idf: Float[Array, " G"]) -> Float[Array, " R"]:
    """(min(g_c, g_r) . g_r) / (|g_c| |g_r|) of each reference with its candidate."""
    candidate, reference = corpus.candidate_ngrams[n], corpus.reference_ngrams[n]
    N, R = len(corpus.candidates), len(corpus.image)
    candidate_weight = candidate.count * idf[candidate.gram]
    weight = reference.count * idf[reference.gram]
    keys = candidate.keys(np.arange(N))
    others = lookup(reference.keys(corpus.image), keys, candidate_weight)
    product = np.bincount(reference.sentence, np.minimum(others, weight) * weight, minlength=R)
    candidate_norm = np.bincount(candidate.sentence, candidate_weight**2, minlength=N)
    norm = np.bincount(reference.sentence, weight**2, minlength=R)
    norms = np.sqrt(candidate_norm[corpus.image]) * np.sqrt(norm)
    similarity: Array = np.divide(product, norms, out=np.zeros(R), where=norms > 0)
    return similarity


def _documents(corpus: Corpus, n: int) -> Int[Array, " G"]:
    """The number of images whose references have each n-gram."""
    ngrams: Ngrams = corpus.reference_ngrams[n]
    G = len(ngrams.texts)
    pairs = np.sort(ngrams.keys(corpus.image))
    distinct = pairs[np.diff(pairs, prepend=-1) > 0]  # np.unique, whose hashing is slow here
    return np.bincount(distinct % max(G, 1), minlength=G)


def _bigrams(sentences: Sequence[Tokens]) -> Int[Array, " S"]:
    return np.array([max(len(sentence) - 1, 0) for sentence in sentences])
