"""The fast engine: the loss, the gradients and the update, with nothing done that need not be.

pass     features, captions -> the loss and the gradients          recurrent.py
clip     the gradients' norm
update   the rule, in place over one flat array of all parameters  inplace.py
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from limner.arrays import Array, Float, Int
from limner.engine.attentive import AttentivePass
from limner.engine.base import Batch, Regularisation
from limner.engine.inplace import RULES, update
from limner.engine.recurrent import RecurrentPass
from limner.layers import Shared
from limner.models import CaptioningModel, Masks
from limner.optim import checked_settings

PASSES: dict[str, Callable[..., Callable[[Batch], float]]] = {
    "rnn": RecurrentPass,
    "attention": AttentivePass,
}
"""Forward and backward, by `CaptioningModel.kind`."""


class NumpyEngine:
    """Trains a model as `model.loss` and a rule of `limner.optim` would, only faster.

    Args:
        model: its `params` become views of the engine's one array, and are updated in place.
        update_rule: "sgd", "sgd_momentum", "rmsprop", "adam" or "adamw".
        optim_config: settings of the rule.
        regularisation: dropout, label smoothing, clipping.
        rng: draws the masks of dropout.

    Raises:
        ValueError: for an unknown rule, or a setting that the rule does not have.

    >>> from limner.models import CaptioningRNN
    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
    >>> model = CaptioningRNN(words, input_dim=8, cell_type="lstm", rng=np.random.default_rng(0))
    >>> engine = NumpyEngine(model, "adam", {"learning_rate": 0.01})
    >>> features, captions = np.ones((1, 8)), np.array([[1, 3, 2]])
    >>> [round(engine.step(features, captions), 2) for _ in range(4)]
    [2.58, 1.05, 0.35, 0.1]
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
        self._rule = update_rule
        self._settings = checked_settings(update_rule, optim_config)
        self._flat = np.empty(model.num_parameters, model.dtype)
        self._params = self._by_name(self._flat)
        self._flat_grads = np.zeros_like(self._flat)
        self._grads = self._by_name(self._flat_grads)
        _, remembered = RULES[update_rule]
        self._memory = {name: np.zeros_like(self._flat) for name in remembered}
        self._t = 0
        self._regularisation = regularisation or Regularisation()
        self._rng = rng or np.random.default_rng(0)
        self._adopt_params()
        self._pass = PASSES[model.kind](model, self._params, self._grads)

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
        batch = features, captions, image_idxs, weights, using.smoothing, masks, inputs, shared
        loss = self._backpropagate(*batch)
        if using.clip_norm:
            self._clip(using.clip_norm)
        self._t += 1
        update(self._rule, self._flat, self._flat_grads, self._memory, self._settings, self._t)
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
        """What `model.loss` returns; changes nothing."""
        batch = features, captions, image_idxs, weights, smoothing, masks, inputs, shared
        loss = self._backpropagate(*batch)
        return loss, {name: grad.copy() for name, grad in self._grads.items()}

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate."""
        self._settings["learning_rate"] *= factor

    def set_learning_rate(self, learning_rate: float) -> None:
        """Give every parameter this learning rate."""
        self._settings["learning_rate"] = learning_rate

    def state_dict(self) -> dict[str, Array]:
        """As `ReferenceEngine.state_dict`: arrays named `parameter/setting`."""
        memory = {name: self._by_name(flat) for name, flat in self._memory.items()}
        numbers = {**self._settings, "t": self._t}
        state: dict[str, Array] = {}
        for param in self._params:
            state |= {f"{param}/{name}": np.asarray(value) for name, value in numbers.items()}
            state |= {f"{param}/{name}": arrays[param].copy() for name, arrays in memory.items()}
        return state

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Take back what `state_dict` gave, of this engine or of `ReferenceEngine`.

        Raises:
            ValueError: if some of it is missing.
        """
        remembered = {f"{param}/{name}" for param in self._params for name in self._memory}
        missing = remembered - state.keys()
        if missing and missing != remembered:  # all of it is missing before the first step
            raise ValueError(f"no {min(missing)} in the state of the update rule")
        memory = {name: self._by_name(flat) for name, flat in self._memory.items()}
        for key, value in state.items():
            param, name = key.split("/")
            if name in memory:
                memory[name][param][:] = value
            elif name == "t":
                self._t = int(value.item())
            else:
                self._settings[name] = value.item()

    def __reduce__(self) -> tuple[Any, ...]:
        """How to copy or pickle: a copy's parameters must be views of an array of its own."""
        options = self._regularisation, self._rng
        return _rebuilt, (self.model, self._rule, options, self.state_dict())

    def _by_name(self, flat: Array) -> dict[str, Array]:
        """Views of a flat array, one for each parameter."""
        views, start = {}, 0
        for name, param in self.model.params.items():
            views[name] = flat[start : start + param.size].reshape(param.shape)
            start += param.size
        return views

    def _adopt_params(self) -> None:
        """Parameters that somebody else has put into the model are copied into the flat array."""
        params = self.model.params
        for name, view in self._params.items():
            if params[name] is not view:
                if params[name].shape != view.shape:
                    raise ValueError(
                        f"params[{name!r}]: expected {view.shape}, got {params[name].shape}"
                    )
                view[:] = params[name]
                params[name] = view

    def _backpropagate(self, *batch: Any) -> float:
        """Fill the gradients; returns the loss."""
        self._adopt_params()
        return self._pass(Batch.of(self.model, *batch))

    def _clip(self, norm: float) -> None:
        found = float(np.sqrt(self._flat_grads @ self._flat_grads))
        if found > norm:
            self._flat_grads *= norm / found


def _rebuilt(
    model: CaptioningModel, update_rule: str, options: tuple[Any, ...], state: dict[str, Array]
) -> NumpyEngine:
    engine = NumpyEngine(model, update_rule, None, *options)
    engine.load_state_dict(state)
    return engine
