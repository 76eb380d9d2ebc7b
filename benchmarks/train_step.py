"""A training step: limner beside PyTorch, the plain solution, and the bare matrix products.

    python benchmarks/train_step.py

Forward, backward and Adam, on one thread, in float32, at the sizes of the course: D = 512
features, word vectors of 256, H = 512, V = 1004 words, T = 17, and captions as long as COCO's.
Needs the extra `torch`.
"""

import setting  # first: it sets the threads

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from limner_trainer import LimnerTrainer
from matmuls import Products
from pytorch import TorchTrainer
from student import Student

from limner.models import CaptioningRNN

Step = Callable[[], object]

D, W, H = 512, 256, 512
TARGETS = {  # limner's time / PyTorch's, / the products', / the student's
    ("rnn", 25): (0.80, 1.28, 0.62),
    ("rnn", 128): (0.78, 1.15, 0.62),
    ("lstm", 25): (1.05, 1.28, 0.48),
    ("lstm", 128): (0.86, 1.15, 0.48),
}
CONSECUTIVE = 4
"""Steps in a row of one contender: training finds its weights in the cache, not another's."""


def contenders(cell_type: str, N: int) -> dict[str, Step]:
    """One training step of each, on the same batch and from the same parameters."""
    rng = np.random.default_rng(N)
    captions = setting.coco_like_captions(rng, N)
    features = rng.standard_normal((N, D)).astype(np.float32)

    def model() -> CaptioningRNN:
        return CaptioningRNN(setting.words(), D, W, H, cell_type, rng=np.random.default_rng(0))

    trainers: dict[str, Any] = {
        "limner": LimnerTrainer(model()),
        "reference": LimnerTrainer(model(), reference=True),
        "student": Student(model()),
        "torch padded": TorchTrainer(model(), packed=False, fused=False),
        "torch padded fused": TorchTrainer(model(), packed=False, fused=True),
        "torch packed": TorchTrainer(model(), packed=True, fused=False),
        "torch packed fused": TorchTrainer(model(), packed=True, fused=True),
        "products": Products(model(), captions),
    }
    return {
        name: lambda step=trainer.step: step(features, captions)
        for name, trainer in trainers.items()
    }


def check_losses(steps: dict[str, Step]) -> None:
    """All train the same: the losses of the first two steps agree; the second sees the update."""
    losses = {name: [step(), step()] for name, step in steps.items() if name != "products"}
    steps["products"]()
    for name, found in losses.items():
        if not np.allclose(found, losses["limner"], rtol=1e-3, atol=0):
            raise SystemExit(f"{name} has the losses {found}, limner {losses['limner']}")


def row(cell_type: str, N: int, seconds: dict[str, float]) -> dict[str, object]:
    """One line of the table: milliseconds, and limner's ratios beside their targets."""
    torch_seconds = {name: s for name, s in seconds.items() if name.startswith("torch")}
    best = min(torch_seconds, key=lambda name: torch_seconds[name])
    ratios: dict[str, object] = {"best": best}
    named = {"torch": best, "products": "products", "student": "student"}
    for (label, name), target in zip(named.items(), TARGETS[cell_type, N], strict=True):
        ratios[f"/{label}"] = seconds["limner"] / seconds[name]
        ratios[f"target /{label}"] = target
    milliseconds = {name: 1000 * s for name, s in seconds.items()}
    return {"cell": cell_type, "N": N, **milliseconds, **ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=9, help="rounds for each size (9)")
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    rows = []
    for cell_type, N in TARGETS:
        steps = contenders(cell_type, N)
        check_losses(steps)
        rows.append(row(cell_type, N, setting.median_seconds(steps, repeats, CONSECUTIVE)))
    times = ("cell", "N", *steps)
    print("milliseconds of CPU time a step")
    setting.print_table([{key: r[key] for key in times} for r in rows])
    print("\nlimner's time as a share of the others'")
    ratios = [key for key in rows[0] if key not in steps]
    setting.print_table([{key: r[key] for key in ratios} for r in rows])
    setting.print_json("train_step", rows, consecutive=CONSECUTIVE, repeats=repeats)


if __name__ == "__main__":
    main()
