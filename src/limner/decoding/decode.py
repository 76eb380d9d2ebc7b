"""One way in to every decoder.

Shapes: N images, n captions of each, L words at most.
"""

from collections.abc import Mapping

import numpy as np

from limner.decoding.beam import beam_search
from limner.decoding.config import DecodingConfig
from limner.decoding.constraints import Constraints
from limner.decoding.decoder import Decoder
from limner.decoding.sampling import greedy, sample
from limner.errors import InputError
from limner.randomness import Random
from limner.typing import Array, Float, Int
from limner.vocabulary import END, NULL, SPECIAL, START, UNK

CHARACTERS = 6
"""What a word counts, where lengths are given in words and the vocabulary is of characters."""

NO_CAPTION = (
    "no caption has all that was asked for; ask for fewer forced words, or a smaller min_length"
)


def decode(
    decoder: Decoder,
    features: Float[Array, "N *L D"],
    how: DecodingConfig,
    word_to_idx: Mapping[str, int],
    rng: Random | None = None,
) -> tuple[Int[Array, "N n L"], Float[Array, "N n"]]:
    """Captions chosen as told, never `<NULL>` or `<START>`, and `<UNK>` only if asked for.

    Args:
        decoder: of a model with this vocabulary.
        features: of N images.
        how: the captions are chosen.
        word_to_idx: the vocabulary.
        rng: draws the words, where they are drawn; None is NumPy's global state.

    Returns:
        (N, n, L) token ids, the best caption of each image first, and their log-probabilities
        (N, n), -inf where there are not so many.

    Raises:
        InputError: for a forced or forbidden word that the vocabulary does not have, or that
            captions never have.

    >>> from limner.decoding import BigramDecoder
    >>> words = {"<NULL>": 0, "<START>": 1, "a": 2, "<END>": 3}
    >>> decoder = BigramDecoder(5.0 * np.roll(np.eye(4), 1, axis=1))  # token i + 1 follows i
    >>> how = DecodingConfig(beam_size=2, n_best=2, max_length=3)
    >>> decode(decoder, np.zeros((1, 0)), how, words)[0]
    array([[[2, 3, 0],
            [2, 2, 3]]], dtype=int32)
    """
    constraints, forced = caption_constraints(how, word_to_idx)
    if how.temperature is not None:
        return _best_first(
            *sample(
                decoder,
                features,
                constraints,
                rng,
                per_image=how.n_best,
                temperature=how.temperature,
                top_k=how.top_k,
                top_p=how.top_p,
            ),
            how.n_best,
        )
    if how.beams == 1 and not forced:
        tokens, log_probs = greedy(decoder, features, constraints)
        return tokens[:, None], log_probs[:, None]
    return beam_search(
        decoder,
        features,
        constraints,
        beam_size=how.beams,
        n_best=how.n_best,
        length_penalty=how.length_penalty,
        forced=forced,
        groups=how.groups,
        diversity=how.diversity,
    )


def caption_constraints(
    how: DecodingConfig, word_to_idx: Mapping[str, int]
) -> tuple[Constraints, list[int]]:
    """The constraints on captions in a vocabulary, and the ids of the forced words.

    Raises:
        InputError: for a forced or forbidden word that the vocabulary does not have, or that
            captions never have.
    """
    ids = word_to_idx
    for word in (*how.forced, *how.forbidden):
        if word not in ids:
            raise InputError(f"{word!r}: the model does not know this word; leave it out")
    for word in how.forbidden:
        if word in SPECIAL:
            raise InputError(f"{word!r} cannot be forbidden: leave it out")
    never = [NULL, START, *([] if how.allow_unk else [UNK]), *how.forbidden]
    silent = [word for word in how.forced if word in never or word == END]
    if silent:
        raise InputError(f"{silent[0]!r}: no caption has this word; leave it out")
    unit = CHARACTERS if " " in ids else 1
    constraints = Constraints(
        ids[START],
        ids[END],
        ids[NULL],
        how.max_length * unit,
        how.min_length * unit,
        [ids[word] for word in never if word in ids and word != END],
        how.no_repeat_ngram * unit,
    )
    return constraints, [ids[word] for word in how.forced]


def _best_first(
    tokens: Int[Array, "Nn L"], log_probs: Float[Array, " Nn"], n: int
) -> tuple[Int[Array, "N n L"], Float[Array, "N n"]]:
    """n captions of each image, sorted by probability."""
    tokens, log_probs = tokens.reshape(-1, n, tokens.shape[1]), log_probs.reshape(-1, n)
    order = np.argsort(-log_probs, axis=1, kind="stable")
    return (
        np.take_along_axis(tokens, order[:, :, None], axis=1),
        np.take_along_axis(log_probs, order, axis=1),
    )
