"""The probability of each word of a caption, its alternatives, and the attention weights.

Shapes: L regions, D features.
"""

from dataclasses import dataclass, field

import numpy as np

from limner.decoding.constraints import log_softmax
from limner.models import WordModel
from limner.typing import Array, Float
from limner.vocabulary import END, NULL, START, Vocabulary


@dataclass(frozen=True)
class Choice:
    """One token of a caption.

    Attributes:
        word: the token; `<END>` at the end.
        probability: given the preceding words, over the whole vocabulary. (The score of a caption
            is renormalized to the words allowed by the constraints.)
        others: the most likely other words, with their probabilities.
        attention: (L,) attention weights; None for a model without attention.
    """

    word: str
    probability: float
    others: tuple[tuple[str, float], ...]
    attention: Float[Array, " L"] | None = field(default=None, repr=False)


def explain(
    model: WordModel,
    features: Float[Array, "*_ D"],
    text: str,
    ended: bool = True,
    others: int = 3,
) -> list[Choice]:
    """Compute the probabilities of the words of a caption.

    Args:
        model: the model.
        features: of the image, (D,) or (L, D).
        text: the caption.
        ended: whether `<END>` follows, or the caption was cut off at the maximum length.
        others: number of alternatives per word.

    Returns:
        One `Choice` per token.

    Raises:
        ValueError: for a word that is not in the vocabulary, or a negative number of alternatives.

    >>> from limner.models import CaptioningRNN
    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
    >>> model = CaptioningRNN(words, input_dim=8, rng=np.random.default_rng(0))
    >>> [choice.word for choice in explain(model, np.ones(8), "cat cat")]
    ['cat', 'cat', '<END>']
    """
    if others < 0:
        raise ValueError(f"`others` {others}: expected 0 or more")
    ids = model.word_to_idx
    words = [*Vocabulary.from_mapping(ids).split(text), *([END] if ended else [])]
    unknown = [word for word in words if word not in ids]
    if unknown:
        raise ValueError(f"{unknown[0]!r}: not in the vocabulary")
    state = model.start(features[None])
    before, choices = np.array([ids[START]]), []
    for word in words:
        weights = model.attention_weights(state)
        scores, state = model.step(before, state)
        scores[:, [ids[NULL], ids[START]]] = -np.inf
        shares = np.exp(log_softmax(scores))[0]
        order = np.argsort(-shares, kind="stable")
        rest = [int(i) for i in order if i != ids[word]][:others]
        choices.append(
            Choice(
                word,
                float(shares[ids[word]]),
                tuple((model.idx_to_word[i], float(shares[i])) for i in rest),
                None if weights is None else weights[0],
            )
        )
        before = np.array([ids[word]])
    return choices
