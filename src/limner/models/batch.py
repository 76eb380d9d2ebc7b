"""A training batch: images, captions and targets.

Shapes: M images, N captions of them, T tokens, S = T - 1 targets, L regions, D features,
K tokens of a soft target.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np

from limner.layers import SoftTargets
from limner.typing import Array, Float, Int


@dataclass(frozen=True)
class Batch:
    """The input of one training step, validated.

    Attributes:
        features: (M, D), or (M, L, D) for regions; as stored, not standardized.
        captions: (N, T) token ids, T >= 2. Tokens 0 to T-2 are the inputs, tokens 1 to T-1 the
            targets. `<NULL>` is never a target.
        image_idxs: (N,) the image of each caption; None for one caption per image.
        weights: (N,) the weight of each caption in the loss, for example its advantage in
            self-critical training; None is 1.
        inputs: (N, S) token ids that replace the inputs (scheduled sampling).
        soft_targets: (N, S, K) probabilities of other tokens (distillation).

    Raises:
        ValueError: if shapes or ids are inconsistent.

    >>> batch = Batch(np.zeros((1, 8)), np.array([[1, 3, 2], [1, 4, 2]]), np.array([0, 0]))
    >>> batch.targets.tolist()
    [[3, 2], [4, 2]]
    """

    features: Float[Array, "M *L D"]
    captions: Array  # (N, T) integers, which is checked below
    image_idxs: Int[Array, " N"] = cast(Array, None)  # noqa: RUF009 - filled in below
    weights: Float[Array, " N"] | None = None
    inputs: Int[Array, "N S"] | None = None
    soft_targets: SoftTargets | None = None

    def __post_init__(self) -> None:
        captions, num_images = self.captions, len(self.features)
        N = num_images if self.image_idxs is None else len(self.image_idxs)
        if captions.ndim != 2 or len(captions) != N or captions.shape[1] < 2:
            raise ValueError(
                f"captions: expected (N, T) = ({N}, 2 or more) to go with features "
                f"{self.features.shape}, got {captions.shape}"
            )
        if captions.dtype.kind not in "iu":
            raise ValueError(f"captions: expected token ids, integers, got {captions.dtype}")
        if not N:
            raise ValueError("captions: expected at least one, got none")
        expected = (N, captions.shape[1] - 1)
        if self.inputs is not None and self.inputs.shape != expected:
            raise _misfit("inputs", expected, captions, self.inputs)
        soft = self.soft_targets
        if soft is not None and (soft.tokens.shape[:2] != expected or soft.tokens.ndim != 3):
            raise _misfit("soft_targets", (*expected, "K"), captions, soft.tokens)
        if soft is not None and soft.probs.shape != soft.tokens.shape:
            raise _misfit("soft_targets.probs", soft.tokens.shape, captions, soft.probs)
        if self.weights is not None and self.weights.shape != (N,):
            raise _misfit("weights", (N,), captions, self.weights)
        if self.image_idxs is None:
            object.__setattr__(self, "image_idxs", np.arange(N))
        elif not 0 <= self.image_idxs.min() <= self.image_idxs.max() < num_images:
            raise ValueError(f"image_idxs: expected 0 to {num_images - 1}")

    @property
    def input_tokens(self) -> Int[Array, "N S"]:
        """The input tokens."""
        return self.captions[:, :-1] if self.inputs is None else self.inputs

    @property
    def targets(self) -> Int[Array, "N S"]:
        """The tokens to predict."""
        return self.captions[:, 1:]

    def target_weights(self, null: int) -> Array:
        """(N, S) the weight of each target in the loss; 0 or False at `<NULL>`.

        Args:
            null: id of `<NULL>`.
        """
        counted = self.targets != null
        return counted if self.weights is None else np.where(counted, self.weights[:, None], 0)


def _misfit(name: str, expected: tuple[object, ...], captions: Array, found: Array) -> ValueError:
    return ValueError(
        f"{name}: expected {expected} to go with captions {captions.shape}, got {found.shape}"
    )
