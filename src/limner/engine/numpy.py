"""The fast engine: the loss, the gradients and the update, with nothing done that need not be.

    pack     captions -> rows without padding, time step by time step      packing.py
    project  features -> h_0
    embed    the distinct words' vectors, times Wx, plus b
    recur    h_0, words -> h, the cell over the packed rows                 cells.py
    score    h -> logits -> the loss, and back to dh; dW_vocab
    recur    dh -> da, dh_0; dWh
    embed    da, summed by word -> dWx, dW_embed                            word_sums.py
    project  dh_0 -> dW_proj
    update   the rule, in place over one flat array of all parameters       inplace.py

Every product writes into an array that is there already. docs/performance.md derives the stages
and says what each trick is worth.

Shapes: N captions, T words, P packed rows, U distinct words, D features, W word vector, H hidden,
V vocabulary; m = 1 (rnn),
3 (gru) or 4 (lstm).
"""

from typing import Any

import numpy as np

from limner.arrays import Array, Bool, Float, Int
from limner.engine.cells import CELLS, by_gate, recurrent_weights
from limner.engine.inplace import RULES, update
from limner.engine.packing import PackedCaptions, pack
from limner.engine.word_sums import sum_by_word
from limner.model import GATES, CaptioningRNN
from limner.optim import checked_settings
from limner.workspace import Workspace

LOGITS = 4_000_000
"""Scores kept at a time: rows are scored in chunks, so that memory does not grow with N T V."""

CACHED = 65536
"""Numbers that stay in the cache while the softmax passes over them."""


class NumpyEngine:
    """Trains a model as `CaptioningRNN.loss` and a rule of `limner.optim` would, only faster.

    Args:
        model: its `params` become views of the engine's one array, and are updated in place.
        update_rule: "sgd", "sgd_momentum", "rmsprop" or "adam".
        optim_config: settings of the rule.

    Raises:
        ValueError: for an unknown rule, or a setting that the rule does not have.

    >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
    >>> model = CaptioningRNN(words, input_dim=8, cell_type="lstm", rng=np.random.default_rng(0))
    >>> engine = NumpyEngine(model, "adam", {"learning_rate": 0.01})
    >>> features, captions = np.ones((1, 8)), np.array([[1, 3, 2]])
    >>> [round(engine.step(features, captions), 2) for _ in range(4)]
    [2.58, 1.05, 0.35, 0.1]
    """

    def __init__(
        self,
        model: CaptioningRNN,
        update_rule: str = "adam",
        optim_config: dict[str, Any] | None = None,
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
        self._workspace = Workspace(model.dtype)
        self._num_gates = GATES[model.cell_type]
        self._adopt_params()

    def step(self, features: Float[Array, "N D"], captions: Int[Array, "N T"]) -> float:
        """Forward, backward and one update; returns the loss before it."""
        loss = self._backpropagate(features, captions)
        self._t += 1
        update(self._rule, self._flat, self._flat_grads, self._memory, self._settings, self._t)
        return loss

    def loss_and_grads(
        self, features: Float[Array, "N D"], captions: Int[Array, "N T"]
    ) -> tuple[float, dict[str, Array]]:
        """What `CaptioningRNN.loss` returns; changes nothing."""
        loss = self._backpropagate(features, captions)
        return loss, {name: grad.copy() for name, grad in self._grads.items()}

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate."""
        self._settings["learning_rate"] *= factor

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
        """Take back what `state_dict` gave, of this engine or of `ReferenceEngine`."""
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
        return _rebuilt, (self.model, self._rule, self.state_dict())

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

    def _backpropagate(self, features: Array, captions: Array) -> float:
        """Fill the gradients; returns the loss."""
        self._adopt_params()
        features = self.model.checked_batch(features, captions)
        p, grads, workspace = self._params, self._grads, self._workspace
        H, V = p["W_vocab"].shape
        packed = pack(captions, self.model.null, V)
        if not packed.steps:  # nothing but <NULL> is expected
            self._flat_grads[:] = 0
            return 0.0
        features = features[packed.order]
        forward, backward = CELLS[self.model.cell_type]

        prev_h = workspace("prev_h", len(packed.targets), H)
        h0 = prev_h[packed.steps[0]]
        np.matmul(features, p["W_proj"], out=h0)
        h0 += p["b_proj"]
        x, inputs = self._embed(packed.words)
        Wh, WhT = recurrent_weights(p["Wh"], workspace)
        h, cache = forward(inputs, packed.lookup, packed.steps, prev_h, Wh, workspace)

        loss, dh = self._score(h, packed, len(captions))

        da, da_by_h, dh0 = backward(dh, cache, packed.steps, WhT, workspace)
        np.matmul(prev_h.T, da_by_h, out=by_gate(grads["Wh"], self._num_gates))
        self._embed_backward(da, x, packed)
        np.matmul(features.T, dh0, out=grads["W_proj"])
        np.sum(dh0, axis=0, out=grads["b_proj"])
        return loss

    def _embed(self, words: Int[Array, " U"]) -> tuple[Array, Array]:
        """The distinct words' vectors x (U, W), and what they give the cell, x Wx + b (m, U, H)."""
        p, m = self._params, self._num_gates
        x = self._workspace("x", len(words), p["W_embed"].shape[1])
        np.take(p["W_embed"], words, axis=0, out=x, mode="clip")
        inputs = self._workspace("inputs", m, len(words), len(p["b"]) // m)
        np.matmul(x, by_gate(p["Wx"], m), out=inputs)
        inputs += by_gate(p["b"][None], m)
        return x, inputs

    def _embed_backward(
        self, da: Float[Array, "m P H"], x: Float[Array, "U W"], packed: PackedCaptions
    ) -> None:
        """dWx, db and dW_embed: a word's rows all took the same inputs, so their da are summed."""
        p, grads, m = self._params, self._grads, self._num_gates
        dinputs = self._workspace("dinputs", m, len(packed.words), da.shape[2])
        sum_by_word(da, packed.lookup, dinputs)
        np.matmul(x.T, dinputs, out=by_gate(grads["Wx"], m))
        np.sum(dinputs, axis=1, out=grads["b"].reshape(m, -1))
        dx = self._workspace("dx by gate", m, *x.shape)
        np.matmul(dinputs, by_gate(p["Wx"], m).transpose(0, 2, 1), out=dx)
        grads["W_embed"][:] = 0
        grads["W_embed"][packed.words] = dx.sum(axis=0)

    def _score(
        self, h: Float[Array, "P H"], packed: PackedCaptions, num_captions: int
    ) -> tuple[float, Float[Array, "P H"]]:
        """The loss and dh; dW_vocab and db_vocab go into the gradients."""
        p, grads, workspace = self._params, self._grads, self._workspace
        P, V = len(h), p["W_vocab"].shape[1]
        dh = workspace("dh", *h.shape)
        chunk = max(LOGITS // V, 1)
        loss = 0.0
        for start in range(0, P, chunk):
            rows = slice(start, min(start + chunk, P))
            logits = workspace("logits", rows.stop - rows.start, V)
            np.matmul(h[rows], p["W_vocab"], out=logits)
            logits += p["b_vocab"]
            loss += softmax_loss(logits, packed.targets[rows], packed.counted[rows], num_captions)
            dlogits = logits
            np.matmul(dlogits, p["W_vocab"].T, out=dh[rows])
            if start == 0:
                np.matmul(h[rows].T, dlogits, out=grads["W_vocab"])
                np.sum(dlogits, axis=0, out=grads["b_vocab"])
            else:
                grads["W_vocab"] += np.matmul(
                    h[rows].T, dlogits, out=workspace("dW_vocab", *grads["W_vocab"].shape)
                )
                grads["b_vocab"] += dlogits.sum(axis=0)
        return loss, dh


def _rebuilt(model: CaptioningRNN, update_rule: str, state: dict[str, Array]) -> NumpyEngine:
    engine = NumpyEngine(model, update_rule)
    engine.load_state_dict(state)
    return engine


def softmax_loss(
    logits: Float[Array, "P V"],
    targets: Int[Array, " P"],
    counted: Bool[Array, " P"],
    num_captions: int,
) -> float:
    """The loss of `limner.layers.temporal_softmax_loss`; logits become their gradient, in place.

    >>> logits = np.zeros((1, 4))
    >>> round(softmax_loss(logits, np.array([1]), np.array([True]), 1), 4), logits.tolist()
    (1.3863, [[0.25, -0.75, 0.25, 0.25]])
    """
    P, V = logits.shape
    block = max(CACHED // V, 1)
    scale = logits.dtype.type(1 / num_captions)
    loss = 0.0
    for start in range(0, P, block):
        x, y, c = (a[start : start + block] for a in (logits, targets, counted))
        rows = np.arange(len(x))
        # log softmax(x)[y] = x[y] - max - log sum exp(x - max)
        x -= x.max(axis=1, keepdims=True)
        right = x[rows, y]
        np.exp(x, out=x)
        sums = x.sum(axis=1, keepdims=True)
        loss -= float((right - np.log(sums[:, 0]))[c].sum())
        # dx = (softmax(x) - onehot(y)) / N
        x *= scale / sums
        x[rows, y] -= scale
        x[~c] = 0
    return loss / num_captions
