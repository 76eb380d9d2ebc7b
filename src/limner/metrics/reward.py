"""The reward of self-critical training: CIDEr-D plus a smoothed BLEU-4.

The end of a caption counts as a word, in references, too: otherwise incomplete captions such as "a
dog on a" would not be penalized.

Source of the smoothing, which adds one to the counts of n-grams with n > 1: C.-Y. Lin and F. J.
Och, "ORANGE: a method for evaluating automatic evaluation metrics for machine translation", COLING
2004.

Shapes: N captions.
"""

from collections.abc import Sequence

import numpy as np

from limner.metrics.bleu import bleu_counts
from limner.metrics.cider import DocumentFrequency, cider
from limner.metrics.corpus import MAX_N, Corpus
from limner.metrics.ngrams import Tokens
from limner.typing import Array, Float, Int

END = "</s>"


class CaptionReward:
    """Rewards against a set of references.

    Args:
        references: tokenized references of each image.
        bleu: weight of BLEU (from 0 to 1), added to CIDEr-D (from 0 to 10).

    >>> reward = CaptionReward([[["a", "red", "dog"]], [["two", "cats"]]], bleu=0.5)
    >>> reward(np.array([0, 0, 1]), [["a", "red", "dog"], ["a", "dog"], ["a", "dog"]]).round(2)
    array([10.5 ,  3.29,  0.24])
    """

    def __init__(self, references: Sequence[Sequence[Tokens]], bleu: float = 0.0) -> None:
        self._references = [[[*one, END] for one in several] for several in references]
        self._frequency = DocumentFrequency.of(self._references)
        self._bleu = bleu

    def __call__(self, images: Int[Array, " N"], captions: Sequence[Tokens]) -> Float[Array, " N"]:
        """The rewards (N,) of tokenized captions of these images."""
        corpus = Corpus.of(
            [[*caption, END] for caption in captions],
            [self._references[image] for image in images.tolist()],
        )
        reward = cider(corpus, self._frequency)
        if self._bleu:
            reward = reward + self._bleu * _smoothed_bleu(corpus)
        return reward


def _smoothed_bleu(corpus: Corpus) -> Float[Array, " N"]:
    """BLEU-4 of each caption; the brevity penalty uses the mean reference length."""
    counts = bleu_counts(corpus)
    matched, total = counts[:, :MAX_N], counts[:, MAX_N : 2 * MAX_N]
    matched[:, 1:] += 1
    total[:, 1:] += 1
    length = counts[:, -2]
    mean_length = np.array(
        [np.mean([len(one) for one in several]) for several in corpus.references]
    )
    brevity = np.exp(np.minimum(1 - mean_length / length, 0))
    reward: Array = brevity * (matched / total).prod(axis=1) ** (1 / MAX_N)
    return reward
