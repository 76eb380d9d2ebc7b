"""Decoding as `DecodingConfig` says: greedy, by sampling, or by beam search.

Shapes: N images, n captions per image, L maximum length.
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
"""Characters per word: lengths are given in words, even with a vocabulary of characters."""

NO_CAPTION = "no caption meets the constraints; require fewer words, or lower `min_length`"


def decode(
    decoder: Decoder,
    features: Float[Array, "N *L D"],
    how: DecodingConfig,
    word_to_idx: Mapping[str, int],
    rng: Random | None = None,
) -> tuple[Int[Array, "N n L"], Float[Array, "N n"]]:
    """Generate captions, without `<NULL>`, `<START>` and, unless allowed, `<UNK>`.

    Args:
        decoder: of a model with this vocabulary.
        features: of N images.
        how: the options.
        word_to_idx: the vocabulary.
        rng: for sampling; None is NumPy's global state.

    Returns:
        token ids (N, n, L), the best caption of each image first, and their log-probabilities
        (N, n), -inf if there are fewer than n captions.

    Raises:
        InputError: for a required or forbidden word that is not in the vocabulary, or that
            captions cannot contain.

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
    """The constraints with token ids, and the ids of the required words; raises as `decode`.

    Args:
        how: decoding options.
        word_to_idx: the vocabulary.
    """
    ids = word_to_idx
    for word in (*how.forced, *how.forbidden):
        if word not in ids:
            raise InputError(f"{word!r}: not in the vocabulary; leave it out")
    for word in how.forbidden:
        if word in SPECIAL:
            raise InputError(f"{word!r} cannot be forbidden: leave it out")
    excluded = [NULL, START, *([] if how.allow_unk else [UNK]), *how.forbidden]
    impossible = [word for word in how.forced if word in excluded or word == END]
    if impossible:
        raise InputError(f"{impossible[0]!r}: captions cannot contain this word; leave it out")
    unit = CHARACTERS if " " in ids else 1
    constraints = Constraints(
        ids[START],
        ids[END],
        ids[NULL],
        how.max_length * unit,
        how.min_length * unit,
        [ids[word] for word in excluded if word in ids and word != END],
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
