"""The peak memory of training: limner beside PyTorch and the plain solution.

    python benchmarks/memory.py

Each contender makes its model and takes five steps of N = 128 captions in a process of its own.
Counted is what the process's largest resident set grows by after its imports: the model, what the
update rule remembers, and everything a step keeps. Sizes as in `train_step.py`. PyTorch is counted
a second time after a step of a tiny model, because its first step also maps the code it runs; so
are the others, for whom it makes no difference. Needs the extra `torch`.
"""

import setting  # first: it sets the threads

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from limner.models import CaptioningRNN

SIZES = {"D": 512, "W": 256, "H": 512, "V": 1004, "N": 128}
TINY = {"D": 4, "W": 4, "H": 4, "V": 8, "N": 2}
STEPS = 5
TARGET = 0.6  # limner's growth / that of PyTorch with packed sequences
CONTENDERS = ("limner", "torch packed", "torch padded", "student")


def trainer_of(contender: str) -> Callable[[CaptioningRNN], Any]:
    """Imports what this contender needs, and nothing of another's."""
    if contender == "limner":
        from limner_trainer import LimnerTrainer

        return LimnerTrainer
    if contender == "student":
        from student import Student

        return Student
    import torch
    from pytorch import TorchTrainer

    torch.set_num_threads(1)
    packed = contender == "torch packed"
    return lambda model: TorchTrainer(model, packed=packed, fused=True)


def train(
    make_trainer: Callable[[CaptioningRNN], Any], cell_type: str, sizes: dict[str, int]
) -> float:
    """Five steps of a new model; returns the last loss."""
    rng = np.random.default_rng(0)
    D, W, H, V, N = (sizes[name] for name in "DWHVN")
    captions = setting.coco_like_captions(rng, N, V=V)
    features = rng.standard_normal((N, D)).astype(np.float32)
    trainer = make_trainer(CaptioningRNN(setting.words(V), D, W, H, cell_type, rng=rng))
    return [trainer.step(features, captions) for _ in range(STEPS)][-1]


def peak_bytes() -> int:
    """The largest resident set of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # Linux counts kibibytes


def growth(contender: str, cell_type: str, warm: bool) -> dict[str, float]:
    """What the peak grows by, in MB; for a process that does nothing else."""
    make_trainer = trainer_of(contender)
    if warm:
        train(make_trainer, cell_type, TINY)
    before = peak_bytes()
    loss = train(make_trainer, cell_type, SIZES)
    return {"MB": (peak_bytes() - before) / 1e6, "loss": loss}


def measured(contender: str, cell_type: str, warm: bool) -> float:
    """`growth` in a fresh process, the median of three; the loss shows that it did train."""
    command = [sys.executable, __file__, "--child", contender, cell_type, str(int(warm))]
    found = [json.loads(subprocess.check_output(command)) for _ in range(3)]
    if not all(1 < child["loss"] < 100 for child in found):
        raise SystemExit(f"{contender} did not train: {found}")
    return float(np.median([child["MB"] for child in found]))


def rows_of(cell_type: str) -> list[dict[str, object]]:
    """A line for either way to count."""
    rows: list[dict[str, object]] = []
    for warm in (False, True):
        found = {name: measured(name, cell_type, warm) for name in CONTENDERS}
        rows.append(
            {
                "cell": cell_type,
                "after": "a tiny step" if warm else "the imports",
                **found,
                "/torch packed": found["limner"] / found["torch packed"],
                "target": TARGET,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    child = parser.parse_args().child
    if child:
        contender, cell_type, warm = child
        print(json.dumps(growth(contender, cell_type, warm == "1")))
        return
    rows = [row for cell_type in ("rnn", "lstm") for row in rows_of(cell_type)]
    print("MB that the largest resident set grows by")
    setting.print_table(rows)
    setting.print_json("memory", rows, torch=version("torch"), steps=STEPS, **SIZES)


if __name__ == "__main__":
    main()
