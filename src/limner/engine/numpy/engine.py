"""The engine: loss and gradients, clipping, update.

pass     batch -> loss and gradients: an optimized pass (`fast.py`), or the model's `loss`
clip     the norm of the gradients
update   in place over one flat array of all parameters (`limner.optim`)
"""

from collections.abc import Mapping
from inspect import signature
from typing import Any

import numpy as np

from limner.decoding import Decoder
from limner.engine.base import Regularization
from limner.engine.numpy.fast import fast_decoder, fast_pass
from limner.models import Batch, CaptioningModel, Masks
from limner.models.base import NO_MASKS
from limner.optim import RULES, checked_settings, update
from limner.randomness import Random, global_if_none
from limner.typing import Array


class NumpyEngine:
    """Trains a model with the optimized pass for exactly its class, or with its `loss`.

    Args:
        model: its `params` become views of one flat array, and are updated in place.
        update_rule: "sgd", "sgd_momentum", "rmsprop", "adam" or "adamw".
        optim_config: settings of the rule, without the learning rate.
        regularization: dropout, label smoothing, clipping.
        rng: for dropout masks; None is NumPy's global state.
        reference: always use `model.loss` and `model.step`, so that changes in layers and
            subclasses have an effect.

    Raises:
        ValueError: for an unknown rule or setting; by `step`, for a dropout site that the model
            does not have.

    >>> from limner.models import CaptioningRNN
    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
    >>> model = CaptioningRNN(words, input_dim=8, cell_type="lstm", rng=np.random.default_rng(0))
    >>> engine = NumpyEngine(model, "adam")
    >>> batch = Batch(np.ones((1, 8)), np.array([[1, 3, 2]]))
    >>> [round(engine.step(batch, learning_rate=0.01), 2) for _ in range(4)]
    [2.58, 1.05, 0.35, 0.1]
    """

    def __init__(
        self,
        model: CaptioningModel,
        update_rule: str = "adam",
        optim_config: Mapping[str, float] | None = None,
        regularization: Regularization | None = None,
        rng: Random | None = None,
        *,
        reference: bool = False,
    ) -> None:
        self.model = model
        self._rule = update_rule
        self._settings = checked_settings(update_rule, optim_config)
        self._flat = np.empty(model.num_parameters, model.dtype)
        self._params = self._by_name(self._flat)
        self._flat_grads = np.zeros_like(self._flat)
        self._grads = self._by_name(self._flat_grads)
        self._memory = {name: np.zeros_like(self._flat) for name in RULES[update_rule].memory}
        self._t = 0
        self._regularization = regularization or Regularization()
        self._rng = rng
        self._adopt_params()
        self._reference = reference
        self._pass = None if reference else fast_pass(model, self._params, self._grads)

    def step(self, batch: Batch, learning_rate: float) -> float:
        """See `Engine.step`."""
        using = self._regularization
        loss = self._backpropagate(batch, self._draw_masks(batch))
        if using.clip_norm:
            self._clip(using.clip_norm)
        self._t += 1
        settings = {**self._settings, "learning_rate": learning_rate}
        update(self._rule, self._flat, self._flat_grads, self._memory, settings, self._t)
        return loss

    def loss_and_grads(
        self, batch: Batch, masks: Masks = NO_MASKS
    ) -> tuple[float, dict[str, Array]]:
        """See `Engine.loss_and_grads`."""
        loss = self._backpropagate(batch, masks)
        return loss, {name: grad.copy() for name, grad in self._grads.items()}

    def decoder(self) -> Decoder:
        """See `Engine.decoder`."""
        self._adopt_params()
        return self.model if self._reference else fast_decoder(self.model)

    def params(self) -> dict[str, Array]:
        """The parameters of the model, which change with every step."""
        return self.model.params

    def state_dict(self) -> dict[str, Array]:
        """The number of steps `t`, and the rule's state arrays as `parameter/name`."""
        state = {"t": np.asarray(self._t)}
        for name, flat in self._memory.items():
            state |= {f"{param}/{name}": a.copy() for param, a in self._by_name(flat).items()}
        return state

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """See `Engine.load_state_dict`; the format of version 0.1 has `t` and settings per
        parameter.

        Raises:
            ValueError: if some of it is missing.
        """
        memory = {
            f"{param}/{name}": array
            for name, flat in self._memory.items()
            for param, array in self._by_name(flat).items()
        }
        steps = [int(value.item()) for key, value in state.items() if key.split("/")[-1] == "t"]
        self._t = max(steps, default=0)
        missing = memory.keys() - state.keys()
        if missing and (self._t or len(missing) < len(memory)):
            raise ValueError(f"no {min(missing)} in the state of the update rule")
        for key in memory.keys() & state.keys():
            if state[key].shape != memory[key].shape or not np.isfinite(state[key]).all():
                raise ValueError(f"{key} in the state of the update rule: {state[key].shape}")
            memory[key][:] = state[key]

    def __reduce__(self) -> tuple[Any, ...]:
        """For copy and pickle: the parameters of a copy are views of its own array."""
        options = self._settings, self._regularization, self._rng, self._reference
        return _rebuilt, (self.model, self._rule, options, self.state_dict())

    def _by_name(self, flat: Array) -> dict[str, Array]:
        """Views of a flat array, one per parameter."""
        views, start = {}, 0
        for name, param in self.model.params.items():
            views[name] = flat[start : start + param.size].reshape(param.shape)
            start += param.size
        return views

    def _adopt_params(self) -> None:
        """Copy arrays that were assigned to the model's `params` into the flat array."""
        params = self.model.params
        for name, view in self._params.items():
            if params[name] is not view:
                if params[name].shape != view.shape:
                    raise ValueError(
                        f"params[{name!r}]: expected {view.shape}, got {params[name].shape}"
                    )
                view[:] = params[name]
                params[name] = view

    def _draw_masks(self, batch: Batch) -> Masks:
        rates, rng = self._regularization.dropout, global_if_none(self._rng)
        if not any(rates.values()):
            return NO_MASKS
        sites = self.model.dropout_sites(batch)
        if unknown := rates.keys() - sites.keys():
            raise ValueError(f"dropout: the model has no site {min(unknown)}, only {list(sites)}")
        return {
            site: draw_mask(rng, rates[site], shape, self.model.dtype)
            for site, shape in sites.items()
            if rates.get(site)
        }

    def _backpropagate(self, batch: Batch, masks: Masks) -> float:
        """Fill the gradients; returns the loss."""
        self._adopt_params()
        smoothing = self._regularization.label_smoothing
        if self._pass:
            return self._pass(batch, self.model.features_of(batch), masks, smoothing)
        loss, grads = self.reference_loss(batch, masks, smoothing)
        for name, grad in self._grads.items():
            grad[:] = grads[name]
        return float(loss)

    def reference_loss(
        self, batch: Batch, masks: Masks, label_smoothing: float
    ) -> tuple[np.floating, dict[str, Array]]:
        """Loss and gradients by the model's `loss`.

        Raises:
            ValueError: if the model's `loss` has other arguments.
        """
        try:
            signature(self.model.loss).bind(batch, masks=masks, label_smoothing=label_smoothing)
        except TypeError:
            raise ValueError(
                f"{type(self.model).__name__}.loss: expected the arguments (batch, *, masks, "
                "label_smoothing); cs682's CaptioningSolver trains a loss(features, captions), "
                "without dropout, smoothing and other objectives than likelihood"
            ) from None
        return self.model.loss(batch, masks=masks, label_smoothing=label_smoothing)

    def _clip(self, norm: float) -> None:
        found = float(np.sqrt(self._flat_grads @ self._flat_grads))
        if found > norm:
            self._flat_grads *= norm / found


def draw_mask(rng: Random, rate: float, shape: tuple[int, ...], dtype: type[np.floating]) -> Array:
    """0 with probability `rate`, else 1/(1 - rate).

    >>> draw_mask(np.random.default_rng(0), 0.5, (4,), np.float32)
    array([2., 2., 2., 0.], dtype=float32)
    """
    drawn = (
        rng.random(shape, np.float32) if isinstance(rng, np.random.Generator) else rng.random(shape)
    )
    mask: Array = (drawn >= rate) * np.dtype(dtype).type(1 / (1 - rate))
    return mask


def _rebuilt(
    model: CaptioningModel, update_rule: str, options: tuple[Any, ...], state: dict[str, Array]
) -> NumpyEngine:
    *others, reference = options
    engine = NumpyEngine(model, update_rule, *others, reference=reference)
    engine.load_state_dict(state)
    return engine
