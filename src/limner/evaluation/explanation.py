"""Why a caption says what it says: every word's probability, its runners-up, and the look.

Shapes: L places.
"""

from dataclasses import dataclass

import numpy as np

from limner.decoding.constraints import log_softmax
from limner.models import WordModel
from limner.typing import Array, Float
from limner.vocabulary import END, NULL, START, Vocabulary


@dataclass(frozen=True)
class Choice:
    """One word of a caption.

    Attributes:
        word: what was said; `<END>` at the end.
        probability: that the model gave it, after the words before, among all that it knows; a
            caption's score is about those that it might say.
        others: what it would have said instead, the likeliest first, with their probabilities.
        look: (L,) how much of the look before this word went to each place; None where the model
            does not attend.
    """

    word: str
    probability: float
    others: tuple[tuple[str, float], ...]
    look: Float[Array, " L"] | None = None


def explain(
    model: WordModel,
    features: Float[Array, "*_ D"],
    text: str,
    ended: bool = True,
    runners_up: int = 3,
) -> list[Choice]:
    """The choices behind a caption of an image.

    Args:
        model: that said it.
        features: of the image, (D,) or (L, D).
        text: the caption, words that the model knows.
        ended: whether the model said `<END>` after it, and was not cut short.
        runners_up: how many other words.

    Raises:
        ValueError: if the model does not know a word.

    >>> from limner.models import CaptioningRNN
    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
    >>> model = CaptioningRNN(words, input_dim=8, rng=np.random.default_rng(0))
    >>> [choice.word for choice in explain(model, np.ones(8), "cat cat")]
    ['cat', 'cat', '<END>']
    """
    ids = model.word_to_idx
    words = [*Vocabulary.from_mapping(ids).split(text), *([END] if ended else [])]
    unknown = [word for word in words if word not in ids]
    if unknown:
        raise ValueError(f"{unknown[0]!r}: not in the vocabulary")
    state = model.start(features[None])
    before, choices = np.array([ids[START]]), []
    for word in words:
        attention = model.attention_weights(state)
        scores, state = model.step(before, state)
        scores[:, [ids[NULL], ids[START]]] = -np.inf
        shares = np.exp(log_softmax(scores))[0]
        order = np.argsort(-shares, kind="stable")
        others = [int(i) for i in order if i != ids[word]][:runners_up]
        choices.append(
            Choice(
                word,
                float(shares[ids[word]]),
                tuple((model.idx_to_word[i], float(shares[i])) for i in others),
                None if attention is None else attention[0],
            )
        )
        before = np.array([ids[word]])
    return choices
