"""The plain engine: `model.loss`, then the update rule, one parameter after the other."""

from typing import Any

import numpy as np

from limner.arrays import Array, Float, Int
from limner.model import CaptioningRNN
from limner.optim import UPDATE_RULES, Config, checked_settings


class ReferenceEngine:
    """Trains a model with `CaptioningRNN.loss` and a rule of `limner.optim`.

    Args:
        model: its `params` are replaced at every step.
        update_rule: "sgd", "sgd_momentum", "rmsprop" or "adam".
        optim_config: settings of the rule, copied for every parameter.

    Raises:
        ValueError: for an unknown rule, or a setting that the rule does not have.
    """

    def __init__(
        self,
        model: CaptioningRNN,
        update_rule: str = "adam",
        optim_config: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        settings = checked_settings(update_rule, optim_config)
        self._rule = UPDATE_RULES[update_rule]
        self._configs: dict[str, Config] = {name: dict(settings) for name in model.params}

    def step(self, features: Float[Array, "N D"], captions: Int[Array, "N T"]) -> float:
        """Forward, backward and one update; returns the loss before it."""
        loss, grads = self.loss_and_grads(features, captions)
        params = self.model.params
        for name, grad in grads.items():
            params[name], self._configs[name] = self._rule(params[name], grad, self._configs[name])
        return loss

    def loss_and_grads(
        self, features: Float[Array, "N D"], captions: Int[Array, "N T"]
    ) -> tuple[float, dict[str, Array]]:
        """`CaptioningRNN.loss`."""
        loss, grads = self.model.loss(features, captions)
        return float(loss), grads

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply every parameter's learning rate."""
        for config in self._configs.values():
            config["learning_rate"] *= factor

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
