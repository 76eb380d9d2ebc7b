"""Principal components of as many VGG features as COCO has training images: time and memory.

    python benchmarks/pca.py [--images 82783] [--dim 4096] [--components 512]

Writes random features of falling variance into a temporary folder, maps them, fits, and prints the
seconds and the peak memory of the process.

Shapes: N images, D features, K components.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from limner.data.blocks import blocks
from limner.data.hdf5 import map_features
from limner.data.hdf5 import h5_writer
from limner.backbones.pca import fit


def write(path: Path, N: int, D: int) -> None:
    """Features of falling variance, mixed, and then as behind a ReLU."""
    rng = np.random.default_rng(0)
    scale = np.float32(1 / np.arange(1, D + 1) ** 0.5)
    mix = rng.standard_normal((64, D), np.float32)
    with h5_writer(path) as file:
        features = file.create_dataset("features", (N, D), "f4")
        for start in range(0, N, 2048):
            rows = min(2048, N - start)
            block = rng.standard_normal((rows, D), np.float32) * scale
            block += 0.1 * rng.standard_normal((rows, 64), np.float32) @ mix
            features[start : start + rows] = np.maximum(block, 0)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=82_783)
    parser.add_argument("--dim", type=int, default=4096)
    parser.add_argument("--components", type=int, default=512)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.h5"
        write(path, given.images, given.dim)
        features = map_features(path)
        started = time.perf_counter()
        projection = fit(lambda: blocks(features), given.components)
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"{given.images:,} x {given.dim:,} to {projection.dim}: {seconds:.1f} s, peak memory "
            f"{peak:.2f} GB, {projection.explained.sum():.1%} of the variance"
        )


if __name__ == "__main__":
    main()
