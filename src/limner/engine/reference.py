"""The plain engine: `model.loss`, then the update rule, one parameter after the other."""

from typing import Any

import numpy as np

from limner.arrays import Array, Float, Int
from limner.engine.base import Regularisation
from limner.layers import Shared
from limner.models import CaptioningModel, Masks
from limner.optim import UPDATE_RULES, Config, checked_settings


class ReferenceEngine:
    """Trains a model with `model.loss` and a rule of `limner.optim`.

    Args:
        model: its `params` are replaced at every step.
        update_rule: "sgd", "sgd_momentum", "rmsprop", "adam" or "adamw".
        optim_config: settings of the rule, copied for every parameter.
        regularisation: dropout, label smoothing, clipping.
        rng: draws the masks of dropout.

    Raises:
        ValueError: for an unknown rule, or a setting that the rule does not have.
    """

    def __init__(
        self,
        model: CaptioningModel,
        update_rule: str = "adam",
        optim_config: dict[str, Any] | None = None,
        regularisation: Regularisation | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.model = model
        self._regularisation = regularisation or Regularisation()
        self._rng = rng or np.random.default_rng(0)
        settings = checked_settings(update_rule, optim_config)
        self._rule = UPDATE_RULES[update_rule]
        self._configs: dict[str, Config] = {name: dict(settings) for name in model.params}

    def step(
        self,
        features: Float[Array, "M *_ D"],
        captions: Int[Array, "N T"],
        image_idxs: Int[Array, " N"] | None = None,
        weights: Float[Array, " N"] | None = None,
        inputs: Int[Array, "N T-1"] | None = None,
        shared: Shared | None = None,
    ) -> float:
        """Forward, backward and one update; returns the loss before it."""
        using = self._regularisation
        masks = None
        if using.dropout:
            masks = self.model.draw_masks(using.dropout, len(features), len(captions), self._rng)
        loss, grads = self.loss_and_grads(
            features, captions, image_idxs, weights, using.smoothing, masks, inputs, shared
        )
        if using.clip_norm:
            norm = float(np.sqrt(sum((grad**2).sum() for grad in grads.values())))
            if norm > using.clip_norm:
                grads = {name: grad * (using.clip_norm / norm) for name, grad in grads.items()}
        params = self.model.params
        for name, grad in grads.items():
            params[name], self._configs[name] = self._rule(params[name], grad, self._configs[name])
        return loss

    def loss_and_grads(
        self,
        features: Float[Array, "M *_ D"],
        captions: Int[Array, "N T"],
        image_idxs: Int[Array, " N"] | None = None,
        weights: Float[Array, " N"] | None = None,
        smoothing: float = 0.0,
        masks: Masks | None = None,
        inputs: Int[Array, "N T-1"] | None = None,
        shared: Shared | None = None,
    ) -> tuple[float, dict[str, Array]]:
        """`model.loss`."""
        loss, grads = self.model.loss(
            features, captions, image_idxs, weights, smoothing, masks, inputs, shared
        )
        return float(loss), grads

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply every parameter's learning rate."""
        for config in self._configs.values():
            config["learning_rate"] *= factor

    def set_learning_rate(self, learning_rate: float) -> None:
        """Give every parameter this learning rate."""
        for config in self._configs.values():
            config["learning_rate"] = learning_rate

    def state_dict(self) -> dict[str, Array]:
        """Arrays named `parameter/setting`; numbers are arrays without axes."""
        return {
            f"{param}/{name}": np.asarray(value)
            for param, config in self._configs.items()
            for name, value in config.items()
        }

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Take back what `state_dict` gave."""
        for key, value in state.items():
            param, name = key.split("/")
            self._configs[param][name] = value.item() if value.ndim == 0 else value.copy()
