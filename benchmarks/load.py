"""Minibatches of features from disk: limner's memory map beside h5py's fancy indexing.

    python benchmarks/load.py [--images 10000]

Writes as many VGG features as COCO has training images, 82,783 rows of 4,096, in one piece, and
a sixteenth of them chunked and compressed, into a temporary folder. Gathers random minibatches of
128 captions from them, through limner's `Split.minibatch` and through h5py, which wants every row
once and in order. What was just written is in the page cache, so the disk itself is not timed.

Shapes: N images, M captions, D features.
"""

import setting  # first: it sets the threads

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from limner.data.dataset import Split
from limner.data.hdf5 import map_features
from limner_trainer import LimnerTrainer
from limner.models import CaptioningRNN

IMAGES, D, T, BATCH = 82_783, 4096, 17, 128
CAPTIONS_OF_A_IMAGE = 5
TARGET = 0.01  # of a training step


def write(path: Path, N: int, **how: object) -> None:
    """Features like those behind a ReLU: half of them are zero."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        features = file.create_dataset("features", (N, D), "f4", **how)
        for start in range(0, N, 1024):
            block = rng.standard_normal((min(1024, N - start), D), np.float32)
            features[start : start + len(block)] = np.maximum(block, 0)


def split_of(features: np.ndarray, rng: np.random.Generator) -> Split:
    """Captions of these images."""
    image_idxs = np.repeat(np.arange(len(features), dtype=np.int32), CAPTIONS_OF_A_IMAGE)
    captions = setting.coco_like_captions(rng, 1000, T)[np.arange(len(image_idxs)) % 1000]
    return Split(captions, image_idxs, features, ())


def by_h5py(split: Split, file: h5py.File, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What `Split.minibatch` returns."""
    images, inverse = np.unique(split.image_idxs[rows], return_inverse=True)
    return split.captions[rows], file["features"][images][inverse]


def check(split: Split, file: h5py.File, rng: np.random.Generator) -> None:
    """Both gather the same."""
    rows = rng.choice(len(split.captions), BATCH)
    features, captions, _ = split.minibatch(rows)
    for ours, theirs in zip((captions, features), by_h5py(split, file, rows), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def resident() -> dict[str, float]:
    """MB of this process: its own, and mapped from files, which the system may take back."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:  # not Linux
        return {}
    kibibytes = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Rss")}
    return {
        name: int(kibibytes[key]) * 1024 / 1e6
        for name, key in (("own MB", "RssAnon"), ("mapped MB", "RssFile"))
    }


def grown(call: Callable[[], object], times: int) -> dict[str, float]:
    """What the resident memory grows by in so many calls."""
    before = resident()
    for _ in range(times):
        call()
    return {name: after - before[name] for name, after in resident().items()}


def measure(path: Path, layout: str, train_step: Callable[[], object]) -> list[dict[str, object]]:
    """A line for limner and one for h5py on one file."""
    rng = np.random.default_rng(1)
    before, start = resident(), time.process_time()
    features = map_features(path)
    opened = {"opened s": time.process_time() - start}
    opened |= {f"opened {name}": after - before[name] for name, after in resident().items()}
    split = split_of(features, rng)

    def random_rows() -> np.ndarray:
        return rng.integers(len(split.captions), size=BATCH)

    with h5py.File(path) as file:
        check(split, file, rng)
        gather: dict[str, Callable[[], object]] = {
            "limner": lambda: split.minibatch(random_rows()),
            "h5py": lambda: by_h5py(split, file, random_rows()),
        }
        rounds = 50 if layout == "one piece" else 3
        memory = {name: grown(call, rounds) for name, call in gather.items()}
        seconds = setting.median_seconds(gather, rounds)
    seconds |= setting.median_seconds({"step": train_step}, repeats=5)
    return [
        {
            "file": layout,
            "images": len(split.features),
            "by": name,
            "ms": 1000 * seconds[name],
            "of a step": seconds[name] / seconds["step"],
            "target": TARGET if name == "limner" else "",
            "/h5py": seconds[name] / seconds["h5py"],
            **memory[name],
            **(opened if name == "limner" else {}),
        }
        for name in gather
    ]


def lstm_step() -> Callable[[], object]:
    """A training step on such a minibatch: LSTM, word vectors of 256, H = 512, V = 1004."""
    rng = np.random.default_rng(0)
    engine = LimnerTrainer(CaptioningRNN(setting.words(), D, 256, 512, "lstm", rng=rng))
    captions = setting.coco_like_captions(rng, BATCH, T)
    features = rng.standard_normal((BATCH, D)).astype(np.float32)
    engine.step(features, captions)
    return lambda: engine.step(features, captions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=IMAGES, help=f"rows ({IMAGES})")
    images = parser.parse_args().images
    train_step = lstm_step()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for layout, N, how in (
            ("one piece", images, {}),
            ("gzip", max(images // 16, BATCH), {"compression": "gzip", "compression_opts": 1}),
        ):
            path = Path(folder) / f"{layout}.h5"
            write(path, N, **how)
            rows += measure(path, layout, train_step)
    print(f"milliseconds of CPU time a minibatch of {BATCH}; growth of the resident memory")
    setting.print_table(rows)
    setting.print_json("load", rows, batch=BATCH, D=D)


if __name__ == "__main__":
    main()
