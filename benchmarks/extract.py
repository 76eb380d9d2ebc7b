"""Extraction beside the bare backbone: images a second, and memory, in one run.

    python benchmarks/extract.py IMAGES [--images 1024] [--rounds 5] [--features pooled]

The bare backbone gets batches that were opened and made ready before, as many at once as there are
cores, each on one thread; and, for comparison, one at a time on all cores. Extraction starts from
the files. All are timed in turn, and the medians of the rounds are compared. Memory is the peak of
this process after an eighth of the images, and after all.
"""

import argparse
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime

from limner.backbones.backbone import cores
from limner.backbones.features import BATCH, extract
from limner.images.images import load_image
from limner.backbones.onnx_backbone import OnnxBackbone
from limner.cli.inputs import SUFFIXES


def seconds(work: Callable[[], object]) -> float:
    """Of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--features", choices=("pooled", "grid", "both"), default="pooled")
    given = parser.parse_args()
    paths = sorted(p for p in given.images.iterdir() if p.suffix.lower() in SUFFIXES)
    paths = paths[: given.images]
    backbone = OnnxBackbone.bundled(keep=given.features)

    def from_files(some: list[Path]) -> None:
        for _ in extract(backbone, some):
            pass

    from_files(paths[: len(paths) // 8])
    first = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    from_files(paths)
    last = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    hint = 2 * backbone.preprocessing.size
    ready = [backbone.preprocess(load_image(path, size_hint=hint)) for path in paths]
    batches = [np.stack(ready[i : i + BATCH]) for i in range(0, len(ready), BATCH)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    network = onnxruntime.InferenceSession(backbone._path, options)
    outputs = list(backbone._outputs.values())

    def side_by_side() -> None:
        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(backbone.features, batches))

    def one_at_a_time() -> None:
        for batch in batches:
            network.run(outputs, {network.get_inputs()[0].name: batch})

    ways = {
        "bare, batches side by side": side_by_side,
        "bare, one batch on all cores": one_at_a_time,
        "extraction, from files": lambda: from_files(paths),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(given.rounds):
        for name, work in ways.items():
            times[name].append(seconds(work))
    bare = min(median(times[name]) for name in list(ways)[:2])
    for name in ways:
        middle = median(times[name])
        print(f"{name:30} {len(paths) / middle:7.1f} images/s   {bare / middle:.2f} of the bare")
    print(f"peak memory {first / 1024:.0f} MB after an eighth, {last / 1024:.0f} MB after all")


if __name__ == "__main__":
    main()
