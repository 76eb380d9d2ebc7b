"""Candidates and references with their n-grams, counted once for all scores.

Shapes: N images, R references.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limner.metrics.ngrams import Ngrams, Tokens, count_ngrams
from limner.typing import Array, Int

MAX_N = 4
"""The maximum length of n-grams in COCO's scores."""


@dataclass(frozen=True)
class Corpus:
    """Tokenized captions of N images, with their references.

    Attributes:
        candidates: N captions. A token with a space (`5 1/2` in the Penn Treebank) is counted as
            two, as in COCO's BLEU and CIDEr, but not its ROUGE-L.
        references: at least one per image, in the same order.
        image: (R,) index of the image of each reference.
        candidate_ngrams: of lengths 1 to 4; sentences are images.
        reference_ngrams: the same, with the same n-gram numbers; sentences are references.
    """

    candidates: Sequence[Tokens]
    references: Sequence[Sequence[Tokens]]
    image: Int[Array, " R"]
    candidate_ngrams: list[Ngrams]
    reference_ngrams: list[Ngrams]

    @classmethod
    def of(cls, candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> "Corpus":
        """Count the n-grams.

        Args:
            candidates: one tokenized caption per image.
            references: tokenized references of each image.

        Raises:
            ValueError: without candidates, for different numbers of images, or an image without
                references.

        >>> corpus = Corpus.of([["a", "dog"]], [[["a", "cat"], ["the", "dog"]]])
        >>> corpus.image.tolist(), corpus.reference_ngrams[1].texts
        ([0, 0], ['a dog', 'a cat', 'the dog'])
        """
        if len(candidates) != len(references) or not candidates:
            raise ValueError(
                f"{len(candidates)} candidates for {len(references)} sets of references"
            )
        if not all(references):
            raise ValueError("an image without a reference")
        N = len(candidates)
        candidates = [_cut_at_spaces(one) for one in candidates]
        references = [[_cut_at_spaces(one) for one in several] for several in references]
        sentences = [*candidates, *(one for several in references for one in several)]
        image = np.repeat(np.arange(N), [len(several) for several in references])
        both = [_cut(ngrams, N) for ngrams in count_ngrams(sentences, MAX_N)]
        return cls(candidates, references, image, [a for a, _ in both], [b for _, b in both])


def _cut_at_spaces(tokens: Tokens) -> Tokens:
    return " ".join(tokens).split()


def _cut(ngrams: Ngrams, sentences: int) -> tuple[Ngrams, Ngrams]:
    """Split n-grams at a sentence; the sentences of both parts are numbered from 0."""
    cut = int(np.searchsorted(ngrams.sentence, sentences))
    sentence, gram, count, texts = ngrams.sentence, ngrams.gram, ngrams.count, ngrams.texts
    return (
        Ngrams(sentence[:cut], gram[:cut], count[:cut], texts),
        Ngrams(sentence[cut:] - sentences, gram[cut:], count[cut:], texts),
    )
