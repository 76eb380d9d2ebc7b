"""Candidates and references, counted once for all the scores that need their n-grams.

Shapes: N images, R references in all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limner.metrics.ngrams import Ngrams, Tokens, count_ngrams
from limner.typing import Array, Int

MAX_N = 4
"""The longest n-grams that COCO's scores count."""


@dataclass(frozen=True)
class Corpus:
    """Tokenised captions of N images with their tokenised references.

    Attributes:
        candidates: N captions. A token with a space in it (`5 1/2` is one in the Penn Treebank) is
            two here: so COCO's BLEU and CIDEr read it, though not its ROUGE-L.
        references: one or more of each image, in the same order.
        image: (R,) the image of each reference, when all stand in a row.
        candidate_ngrams: of lengths 1 to 4; the sentence is the image.
        reference_ngrams: the same, with the same numbers for n-grams; the sentence is one of the R.
    """

    candidates: Sequence[Tokens]
    references: Sequence[Sequence[Tokens]]
    image: Int[Array, " R"]
    candidate_ngrams: list[Ngrams]
    reference_ngrams: list[Ngrams]

    @classmethod
    def of(cls, candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> "Corpus":
        """Count the n-grams.

        Raises:
            ValueError: if there are not as many candidates as sets of references, or none, or a
                image has no reference.

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
    """Those of the first so many sentences, and those of the rest, numbered from 0 again."""
    cut = int(np.searchsorted(ngrams.sentence, sentences))
    sentence, gram, count, texts = ngrams.sentence, ngrams.gram, ngrams.count, ngrams.texts
    return (
        Ngrams(sentence[:cut], gram[:cut], count[:cut], texts),
        Ngrams(sentence[cut:] - sentences, gram[cut:], count[cut:], texts),
    )
