"""The update rules of `limner.optim`, in place, over one flat array of all parameters.

The array is walked through in blocks that stay in the cache while the rule's dozen operations pass
over them. Settings are arrays without axes: NumPy takes them twice as fast as Python's floats.

Shapes: P parameters, S of them in a block.
"""

import math
from collections.abc import Callable

import numpy as np

from limner.arrays import Array, Float

Settings = dict[str, Array]
Memory = dict[str, Array]

BLOCK = 32768
"""Numbers in a block: 128 KiB of each float32 array."""


def sgd(
    w: Float[Array, " S"],
    dw: Float[Array, " S"],
    memory: Memory,
    scratch: Float[Array, " S"],
    c: Settings,
) -> None:
    """`w -= learning_rate * dw`."""
    np.multiply(dw, c["learning_rate"], out=scratch)
    w -= scratch


def sgd_momentum(
    w: Float[Array, " S"],
    dw: Float[Array, " S"],
    memory: Memory,
    scratch: Float[Array, " S"],
    c: Settings,
) -> None:
    """`velocity = momentum * velocity - learning_rate * dw;  w += velocity`."""
    velocity = memory["velocity"]
    velocity *= c["momentum"]
    np.multiply(dw, c["learning_rate"], out=scratch)
    velocity -= scratch
    w += velocity


def rmsprop(
    w: Float[Array, " S"],
    dw: Float[Array, " S"],
    memory: Memory,
    scratch: Float[Array, " S"],
    c: Settings,
) -> None:
    """`cache` averages dw^2;  `w -= learning_rate * dw / (sqrt(cache) + epsilon)`."""
    cache = memory["cache"]
    np.square(dw, out=scratch)
    scratch *= c["1 - decay_rate"]
    cache *= c["decay_rate"]
    cache += scratch

    np.sqrt(cache, out=scratch)
    scratch += c["epsilon"]
    np.divide(dw, scratch, out=scratch)
    scratch *= c["learning_rate"]
    w -= scratch


def adam(
    w: Float[Array, " S"],
    dw: Float[Array, " S"],
    memory: Memory,
    scratch: Float[Array, " S"],
    c: Settings,
) -> None:
    """`m` averages dw, `v` averages dw^2;  `w -= step * m / (sqrt(v) + epsilon)`."""
    m, v = memory["m"], memory["v"]
    np.multiply(dw, c["1 - beta1"], out=scratch)
    m *= c["beta1"]
    m += scratch

    np.square(dw, out=scratch)
    scratch *= c["1 - beta2"]
    v *= c["beta2"]
    v += scratch

    np.sqrt(v, out=scratch)
    scratch += c["epsilon"]
    np.divide(m, scratch, out=scratch)
    scratch *= c["step"]
    w -= scratch


def adamw(
    w: Float[Array, " S"],
    dw: Float[Array, " S"],
    memory: Memory,
    scratch: Float[Array, " S"],
    c: Settings,
) -> None:
    """`w -= learning_rate * weight_decay * w`, then Adam."""
    w *= c["kept"]
    adam(w, dw, memory, scratch, c)


RULES: dict[str, tuple[Callable[..., None], tuple[str, ...]]] = {
    "sgd": (sgd, ()),
    "sgd_momentum": (sgd_momentum, ("velocity",)),
    "rmsprop": (rmsprop, ("cache",)),
    "adam": (adam, ("m", "v")),
    "adamw": (adamw, ("m", "v")),
}
"""By name: the rule, and what it remembers of every parameter."""


def update(
    update_rule: str,
    w: Float[Array, " P"],
    dw: Float[Array, " P"],
    memory: Memory,
    settings: dict[str, float],
    t: int,
) -> None:
    """One step of a rule over flat arrays; w and the memory change in place.

    Args:
        update_rule: a key of `RULES`.
        w: parameters.
        dw: their gradient.
        memory: arrays as long as w, by the names in `RULES`.
        settings: of `limner.optim.checked_settings`.
        t: which step this is, from 1.

    >>> w = np.array([1.0, 2.0])
    >>> update("sgd", w, np.array([10.0, 0.0]), {}, {"learning_rate": 0.01}, t=1)
    >>> w
    array([0.9, 2. ])
    """
    rule, _ = RULES[update_rule]
    constants = {name: np.array(value, w.dtype) for name, value in _constants(settings, t).items()}
    scratch = np.empty(min(BLOCK, w.size), w.dtype)
    for start in range(0, w.size, BLOCK):
        block = slice(start, start + BLOCK)
        remembered = {name: array[block] for name, array in memory.items()}
        rule(w[block], dw[block], remembered, scratch[: len(w[block])], constants)


def _constants(settings: dict[str, float], t: int) -> dict[str, float]:
    """The settings, one minus each, and Adam's step with both bias corrections."""
    constants = settings | {f"1 - {name}": 1 - value for name, value in settings.items()}
    if "beta1" in settings:
        correction = math.sqrt(1 - settings["beta2"] ** t) / (1 - settings["beta1"] ** t)
        constants["step"] = settings["learning_rate"] * correction
    if "weight_decay" in settings:
        constants["kept"] = 1 - settings["learning_rate"] * settings["weight_decay"]
    return constants
