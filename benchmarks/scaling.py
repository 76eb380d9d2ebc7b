"""How the cost of a training step grows with N, T, H and V; writes docs/scaling.svg.

Each of the four is moved over two decades while the others stay. A cost model is fitted to all of
the points at once, and says what larger trainings would take. Needs the extra `plots`.
"""

import setting  # first: it sets the number of threads

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from limner_trainer import LimnerTrainer
from limner.engine.numpy.packing import pack
from limner.models import Batch, CaptioningRNN

BASE = {"N": 32, "T": 17, "H": 512, "V": 1004}
SWEEPS = {
    "N": (5, 16, 50, 160, 500),
    "T": (4, 12, 40, 120, 400),
    "H": (16, 50, 160, 500, 1600),
    "V": (300, 1000, 3000, 10_000, 30_000),
}
D, W = 512, 256

COSTS = ("products", "update", "gates", "weights", "calls")
"""What a step pays for; `amounts` says how much of each it takes."""


def amounts(N: int, T: int, H: int, V: int, P: int, U: int) -> list[float]:
    """Operations of the products, parameters, gate values, weights read in every step, steps.

    P words count and U of them are distinct.
    """
    products = 6 * P * H * (4 * H + V) + 6 * U * W * 4 * H + 4 * N * D * H
    parameters = V * W + D * H + 4 * H * (W + H) + H * V
    return [products, parameters, 5 * P * H, 8 * T * H * H, T]


def captions_of(rng: np.random.Generator, N: int, T: int, V: int) -> np.ndarray:
    """(N, T) captions like COCO's, stretched to T: 28 % padding, word ids by Zipf's law."""
    shares = 1 / np.arange(1, V - 3)
    captions = np.zeros((N, T), dtype=np.int32)
    for row in captions:
        words = int(np.clip(round(rng.normal(0.72, 0.15) * (T - 1)), 1, T - 1)) + 1
        row[:words] = 4 + rng.choice(V - 4, words, p=shares / shares.sum())
    return captions


def measure(N: int, T: int, H: int, V: int) -> tuple[list[float], float]:
    """The amounts of one LSTM step, and its seconds."""
    rng = np.random.default_rng(0)
    captions = captions_of(rng, N, T, V)
    features = rng.standard_normal((N, D)).astype(np.float32)
    engine = LimnerTrainer(CaptioningRNN(setting.words(V), D, W, H, "lstm", rng=rng))
    engine.step(features, captions)
    packed = pack(Batch(np.zeros((len(captions), 0)), captions), 0, V)
    step: dict[str, Callable[[], object]] = {"step": lambda: engine.step(features, captions)}
    seconds = setting.median_seconds(step, repeats=5)["step"]
    return amounts(N, T, H, V, len(packed.targets), len(packed.tokens)), seconds


def fit(points: list[tuple[list[float], float]]) -> np.ndarray:
    """Seconds for each unit of the costs, not negative, by least squares of relative errors."""
    A = np.array([amount for amount, _ in points])
    t = np.array([seconds for _, seconds in points])
    left = list(range(A.shape[1]))
    while True:  # drop what would come out negative
        x, *_ = np.linalg.lstsq(A[:, left] / t[:, None], np.ones(len(t)), rcond=None)
        if (x >= 0).all():
            break
        left.pop(int(x.argmin()))
    rates = np.zeros(A.shape[1])
    rates[left] = x
    return rates


def plot(
    results: dict[str, list[tuple[list[float], float]]], rates: np.ndarray, path: Path
) -> None:
    """Measured points and the fitted curve, a panel for each of N, T, H, V."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "limner"
    figure, axes = plt.subplots(1, 4, figsize=(12, 3), sharey=True, layout="constrained")
    for axis, (name, points) in zip(axes, results.items(), strict=True):
        axis.loglog(SWEEPS[name], [1e3 * s for _, s in points], "o", label="measured")
        axis.loglog(SWEEPS[name], [1e3 * np.dot(a, rates) for a, _ in points], label="fitted")
        axis.set_xlabel(name)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("milliseconds a step")
    axes[0].legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    results = {
        name: [measure(**BASE | {name: value}) for value in values]
        for name, values in SWEEPS.items()
    }
    rates = fit([point for points in results.values() for point in points])
    rows = [
        {
            "moved": name,
            "to": value,
            "measured ms": 1e3 * seconds,
            "fitted ms": 1e3 * float(np.dot(amount, rates)),
        }
        for name, points in results.items()
        for value, (amount, seconds) in zip(SWEEPS[name], points, strict=True)
    ]
    setting.print_table(rows)
    errors = [abs(row["fitted ms"] / row["measured ms"] - 1) for row in rows]

    epochs = []
    for label, captions, H, V in (
        ("COCO", 400_135, 512, 1004),
        ("COCO", 400_135, 512, 10_000),
        ("100 million captions", 100_000_000, 512, 10_000),
        ("100 million captions", 100_000_000, 1024, 30_000),
    ):
        examples = setting.coco_like_captions(np.random.default_rng(0), 128, 17, V)
        packed = pack(Batch(np.zeros((len(examples), 0)), examples), 0, V)
        step = np.dot(amounts(128, 17, H, V, len(packed.targets), len(packed.tokens)), rates)
        hours = float(step) * captions / 128 / 3600
        epochs.append({"an epoch, N = 128": label, "H": H, "V": V, "hours on one core": hours})
    print()
    setting.print_table(epochs)
    plot(results, rates, Path(sys.argv[1] if len(sys.argv) > 1 else "docs/scaling.svg"))
    setting.print_json(
        "scaling",
        rows,
        epochs=epochs,
        rates=dict(zip(COSTS, rates.tolist(), strict=True)),
        median_relative_error=float(np.median(errors)),
        largest_relative_error=max(errors),
    )


if __name__ == "__main__":
    main()
