"""Greedy decoding and sampling.

Shapes: N images, R captions, V vocabulary, L maximum length, A unfinished captions.
"""

from collections.abc import Callable

import numpy as np

from limner.decoding.constraints import Constraints
from limner.decoding.decoder import Decoder, State
from limner.randomness import Random, global_if_none
from limner.typing import Array, Float, Int


def greedy(
    decoder: Decoder, features: Float[Array, "N *L D"], constraints: Constraints
) -> tuple[Int[Array, "N L"], Float[Array, " N"]]:
    """Choose the most likely word at every step.

    Args:
        decoder: gives the next-token scores.
        features: of N images.
        constraints: on the captions; probabilities are renormalized over the allowed words.

    Returns:
        tokens (N, L) int32, and the log-probability of each caption (N,): the sum over its
        tokens, including `<END>`.

    >>> from limner.decoding import BigramDecoder
    >>> decoder = BigramDecoder(5.0 * np.roll(np.eye(4), 1, axis=1))  # token i + 1 follows i
    >>> constraints = Constraints(start=1, end=3, max_length=4)
    >>> tokens, log_prob = greedy(decoder, np.zeros((1, 0)), constraints)
    >>> tokens, log_prob.round(3)
    (array([[2, 3, 0, 0]], dtype=int32), array([-0.04]))
    """
    return _unroll(
        decoder, decoder.start(features), len(features), constraints, lambda s: s.argmax(axis=1)
    )


def sample(
    decoder: Decoder,
    features: Float[Array, "N *L D"],
    constraints: Constraints,
    rng: Random | None = None,
    *,
    per_image: int = 1,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
) -> tuple[Int[Array, "R L"], Float[Array, " R"]]:
    """Sample every word from its distribution.

    Args:
        decoder, features, constraints: as for `greedy`.
        rng: the random generator; None is NumPy's global state.
        per_image: captions per image, in consecutive rows.
        temperature: divides the logits; below 1 it favors likely words.
        top_k: number of most likely words to sample from; None for all.
        top_p: sample from the most likely words with this total probability (nucleus sampling: A.
            Holtzman et al., "The curious case of neural text degeneration", ICLR 2020).

    Returns:
        As `greedy`; the log-probabilities are those of temperature 1.

    Raises:
        ValueError: unless temperature > 0, top_k >= 1 and 0 < top_p <= 1.

    >>> from limner.decoding import BigramDecoder
    >>> decoder = BigramDecoder(np.log([[0.25, 0.25, 0.5]] * 3))
    >>> constraints = Constraints(start=0, end=None, max_length=1000)
    >>> tokens, _ = sample(decoder, np.zeros((1, 0)), constraints, np.random.default_rng(0))
    >>> (np.bincount(tokens[0]) / 1000).round(1)
    array([0.3, 0.3, 0.5])
    """
    if temperature <= 0 or (top_k is not None and top_k < 1) or not 0 < top_p <= 1:
        raise ValueError(
            f"temperature {temperature}, top_k {top_k}, top_p {top_p}: "
            "expected temperature > 0, top_k >= 1, 0 < top_p <= 1"
        )

    random = global_if_none(rng)

    def choose(scores: Array) -> Array:
        # Gumbel-max trick: argmax(logits + Gumbel noise) is a sample of softmax(logits)
        kept = _nucleus(_highest(scores / temperature, top_k), top_p)
        sampled: Array = (kept + random.gumbel(size=kept.shape)).argmax(axis=1)
        return sampled

    rows = np.repeat(np.arange(len(features)), per_image)
    state = decoder.select(decoder.start(features), rows)
    return _unroll(decoder, state, len(rows), constraints, choose)


def _unroll(
    decoder: Decoder,
    state: State,
    num_captions: int,
    constraints: Constraints,
    choose: Callable[[Array], Array],
) -> tuple[Int[Array, "R L"], Float[Array, " R"]]:
    tokens = np.full((num_captions, constraints.max_length), constraints.null, dtype=np.int32)
    total = np.zeros(num_captions)
    words = np.full(num_captions, constraints.start)
    running = np.arange(num_captions)
    for t in range(constraints.max_length):
        scores, state = decoder.step(words, state)
        constraints.apply(scores, tokens[running, :t])
        words = choose(scores)
        tokens[running, t] = words
        # log softmax(scores)[word] = scores[word] - highest - log sum exp(scores - highest)
        scores -= scores.max(axis=1, keepdims=True)
        total[running] += scores[np.arange(len(words)), words]
        total[running] -= np.log(np.exp(scores, out=scores).sum(axis=1))
        if constraints.end is None:
            continue
        going = words != constraints.end
        if not going.any():
            break
        if not going.all():
            running, words, state = running[going], words[going], decoder.select(state, going)
    return tokens, total


def _highest(scores: Float[Array, "A V"], k: int | None) -> Float[Array, "A V"]:
    """Keep the k highest of each row; the others become -inf."""
    if k is None or k >= scores.shape[1]:
        return scores
    least = np.partition(scores, -k, axis=1)[:, -k, None]
    return np.where(scores >= least, scores, -np.inf)


def _nucleus(scores: Float[Array, "A V"], p: float) -> Float[Array, "A V"]:
    """Keep the fewest of each row with total probability p; the others become -inf."""
    if p == 1:
        return scores
    order = np.argsort(-scores, axis=1)
    ranked = np.take_along_axis(scores, order, axis=1)
    share = np.exp(ranked - ranked[:, :1])
    share /= share.sum(axis=1, keepdims=True)
    before = np.cumsum(share, axis=1) - share
    kept = np.empty_like(scores)
    np.put_along_axis(kept, order, np.where(before < p, ranked, -np.inf), axis=1)
    return kept
