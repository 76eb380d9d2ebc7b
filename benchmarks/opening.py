"""Opening a dataset of COCO's size, with all its checks.

    python benchmarks/opening.py [--images 123287] [--captions 5]

Writes a dataset of as many images and captions as COCO 2014 has into a temporary folder, and
opens it five times. Features are mapped, so how many numbers an image has does not matter: here
it is four. What was just written is in the page cache.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from limner.data.opening import open_dataset
from limner.data.schema import DatasetInfo
from limner.data.tokens import TokenConfig
from limner.data.writing import Rows, write_dataset

WORDS, LENGTH = 10_000, 10


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=123_287)
    parser.add_argument("--captions", type=int, default=5)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(WORDS)])
    drawn = (WORDS * rng.random((given.images, given.captions, LENGTH)) ** 3).astype(int)
    references: dict[str, dict[str, list[str]]] = {"train": {}, "val": {}}
    for number, several in enumerate(words[drawn]):
        split = "train" if number < given.images * 2 // 3 else "val"
        name = f"{split}2014/COCO_{split}2014_{number:012d}.jpg"
        references[split][name] = [" ".join(one).capitalize() + "." for one in several]
    features = np.zeros((given.images, 4), np.float32)
    rows = {s: [[Rows(features, np.arange(len(images)), (4,))]] for s, images in references.items()}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        write_dataset(
            out, references, TokenConfig(), {"features": rows}, np.dtype("f4"), DatasetInfo()
        )
        for _ in range(5):
            started = time.perf_counter()
            dataset = open_dataset(out)
            seconds = time.perf_counter() - started
            captions = sum(len(split.captions) for split in dataset.splits.values())
            print(f"{given.images:,} images, {captions:,} captions: {seconds:.2f} s")


if __name__ == "__main__":
    main()
