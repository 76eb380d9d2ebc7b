"""From a folder of pictures and a file of captions to a dataset.

The slow part, extraction, is written picture by picture into `OUT/partial`, so that a run that was
stopped goes on where it was. The dataset's files appear under their names only when whole, and
dataset.json, without which the folder is not a dataset, comes last.

Shapes: N pictures, M captions, T words, D features.
"""

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from limner.arrays import Array, Float
from limner.data.backbone import Backbone, Keep
from limner.data.dataset import SCHEMA_VERSION, Dataset, open_dataset, read_json
from limner.data.features import extract
from limner.data.hdf5 import h5_writer
from limner.data.images import load_image
from limner.data.open_backbone import open_backbone
from limner.data.sources import CaptionFile, read_captions, read_split_files, split_by_ratio
from limner.errors import InputError
from limner.files import cannot_write, write_atomically
from limner.vocabulary import Vocabulary, characters, tokenize

DEFAULT_RATIO = {"train": 0.8, "dev": 0.1, "test": 0.1}

BLOCK = 256
"""Pictures whose features are copied at a time."""

Report = Callable[[str], None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Job:
    """What to prepare, and how.

    Attributes:
        images: the folder of pictures; names in the captions file are relative to it.
        captions: a captions file, see `limner.data.sources.read_captions`.
        out: the dataset's folder, made if missing.
        split_files: {split: file with an image name a line}; empty splits by `ratio`.
        ratio: shares of train, dev and test, of any sum.
        seed: of the split by ratio.
        min_count: words that stand less often in the training captions become `<UNK>`.
        max_words: longer captions are cut.
        characters: make a vocabulary of characters, not of words.
        backbone: an `.onnx` file with its `.toml`, or the name of a network of PyTorch; None takes
            the one that ships.
        grid: keep the features of every place, in float16, for models with attention.
        size: side of the backbone's input in pixels; None takes its own.
        views: keep features of so many altered views of every training picture too: its mirror
            image first, then random crops.
        weights: of a network of PyTorch, a file; or "download".
    """

    images: Path
    captions: Path
    out: Path
    split_files: dict[str, Path] = field(default_factory=dict)
    ratio: dict[str, float] = field(default_factory=lambda: dict(DEFAULT_RATIO))
    seed: int = 0
    min_count: int = 5
    max_words: int = 20
    backbone: str | Path | None = None
    grid: bool = False
    size: int | None = None
    views: int = 0
    characters: bool = False
    weights: str | Path | None = None


def prepare(job: Job, report: Report = print, progress: Progress | None = None) -> Dataset:
    """Make a dataset, or go on making it; open it if it is there already.

    Args:
        job: what to do.
        report: takes a line for the user, e.g. the name of a picture that cannot be read.
        progress: takes how many pictures are done, and of how many.

    Raises:
        InputError: if the captions, the splits or the backbone cannot be used, no picture can be
            read, or `job.out` holds something else.
        LimnerError: if the disk is full.
    """
    source = read_captions(job.captions)
    for problem in source.problems:
        report(problem)
    splits = _splits(job, source, report)
    keep: Keep = "grid" if job.grid else "pooled"
    backbone = open_backbone(job.backbone, weights=job.weights, keep=keep, size=job.size)
    fingerprint = _fingerprint(job, splits, backbone)
    if _is_done(job.out, fingerprint, report):
        report(f"{job.out}: prepared already, nothing to do")
        shutil.rmtree(job.out / "partial", ignore_errors=True)  # of a run stopped at its very end
        return open_dataset(job.out)

    images = [image for names in splits.values() for image in names]
    extraction = Extraction(job.out / "partial", backbone, fingerprint)
    views = [images, *[splits["train"]] * job.views]
    if extraction.done:
        report(f"going on after {extraction.done} of {sum(map(len, views))} pictures")
    extraction.run(job.images, views, report, progress or (lambda done, total: None))
    _write_dataset(job, source, splits, extraction, fingerprint)
    shutil.rmtree(job.out / "partial")
    return open_dataset(job.out)


def _splits(job: Job, source: CaptionFile, report: Report) -> dict[str, list[str]]:
    """Image names by split: those that have both captions and a file."""
    if not job.images.is_dir():
        raise InputError(f"{job.images}: no such folder of pictures")
    if job.split_files:
        splits = read_split_files(job.split_files)
    else:
        splits = split_by_ratio(list(source.captions), job.ratio, job.seed)
    for name, images in splits.items():
        for image in images:
            if image not in source.captions:
                report(f"{job.split_files[name]}: {image} has no caption in {job.captions}")
            elif not (job.images / image).is_file():
                report(f"{job.images / image}: no such picture; its captions are left out")
        splits[name] = [
            image for image in images if image in source.captions and (job.images / image).is_file()
        ]
    if not splits["train"]:
        raise InputError(
            f"{job.captions}: none of its training pictures is in {job.images}; names in the "
            f"captions, such as {next(iter(source.captions))!r}, must be files there"
        )
    return {name: images for name, images in splits.items() if images}


def _fingerprint(job: Job, splits: dict[str, list[str]], backbone: Backbone) -> str:
    """A hash of all that the dataset depends on; pictures count by name and size."""
    sizes = {
        name: [(image, (job.images / image).stat().st_size) for image in images]
        for name, images in splits.items()
    }
    facts = {
        "captions": hashlib.sha256(job.captions.read_bytes()).hexdigest(),
        "splits": sizes,
        "min_count": job.min_count,
        "max_words": job.max_words,
        "backbone": backbone.describe(),
        "schema_version": SCHEMA_VERSION,
    }
    if job.views:
        facts["views"] = job.views
    if job.characters:
        facts["characters"] = True
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _is_done(out: Path, fingerprint: str, report: Report) -> bool:
    """Whether this very dataset stands there; raises if another one does."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: a file; --out takes a folder")
    if not (out / "dataset.json").exists():
        return False
    try:
        info = read_json(out / "dataset.json")
    except InputError:
        info = None
    if not isinstance(info, dict) or info.get("fingerprint") != fingerprint:
        raise InputError(
            f"{out}: holds a dataset from other captions, pictures or settings, or a damaged one; "
            "choose another --out, or delete it first"
        )
    try:
        open_dataset(out)
    except InputError as error:
        report(f"{error}: making it again")
        return False
    return True


class Extraction:
    """Features of many pictures, one row each, in a file that only grows.

    A picture that cannot be read has a row of NaN. A row cut short by a crash is made anew.

    Attributes:
        done: pictures done so far.
        skipped: {image name: what is wrong with it}.
    """

    def __init__(self, folder: Path, backbone: Backbone, fingerprint: str) -> None:
        self._backbone = backbone
        self.shape = backbone.shape
        self.dtype = np.dtype(np.float32 if backbone.places is None else np.float16)
        self._rows = folder / f"features.f{8 * self.dtype.itemsize}"
        self._row_bytes = math.prod(self.shape) * self.dtype.itemsize
        started = folder / "job.json"
        if not started.exists() or read_json(started)["fingerprint"] != fingerprint:
            if folder.exists() and any(started.name not in file.name for file in folder.iterdir()):
                raise InputError(
                    f"{folder}: half of another preparation (captions, pictures or settings were "
                    "different); delete that folder, or choose another --out"
                )
            write_atomically(started, json.dumps({"fingerprint": fingerprint}))
        self.done = self._rows.stat().st_size // self._row_bytes if self._rows.exists() else 0
        self.skipped: dict[str, str] = {}

    def run(
        self,
        folder: Path,
        views: Sequence[Sequence[str]],
        report: Report,
        progress: Progress,
    ) -> None:
        """Extract what is missing of these pictures, and of those whose views 1, 2, ... follow."""
        images, total, before = views[0], sum(map(len, views)), 0
        try:
            with self._rows.open("ab") as file:
                file.truncate(self.done * self._row_bytes)
                for view, names in enumerate(views):
                    todo = [folder / name for name in names[max(self.done - before, 0) :]]
                    found = extract(self._backbone, todo, view=view)
                    self._append(file, found, total, report, progress)
                    before += len(names)
        except OSError as error:
            raise cannot_write(self._rows, error) from None
        for image, row in zip(images, self.rows(), strict=False):
            if np.isnan(row.flat[0]):
                self.skipped[image] = _what_is_wrong(folder / image)
        if len(self.skipped) == len(images):
            raise InputError(f"{folder}: none of its {len(images)} pictures can be read")

    def _append(
        self,
        file: Any,
        found: Iterable[tuple[Path, Array | InputError]],
        total: int,
        report: Report,
        progress: Progress,
    ) -> None:
        missing_row = np.full(self.shape, np.nan, dtype=np.float32)
        for _, row in found:
            if isinstance(row, InputError):
                report(f"{row} (left out)")
            kept = missing_row if isinstance(row, InputError) else row
            file.write(kept.astype(self.dtype).tobytes())
            file.flush()
            self.done += 1
            progress(self.done, total)

    def rows(self) -> Float[Array, "N *_ D"]:
        """All rows so far, mapped from the file."""
        return np.memmap(self._rows, self.dtype, "r", shape=(self.done, *self.shape))

    def describe(self) -> dict[str, Any]:
        """The backbone's facts, for dataset.json."""
        return self._backbone.describe()


def _what_is_wrong(picture: Path) -> str:
    """Asked anew rather than kept, so that a run that was stopped ends with the same file."""
    try:
        load_image(picture)
    except InputError as error:
        return str(error)
    return f"{picture}: gives no features"


def _write_dataset(
    job: Job,
    source: CaptionFile,
    splits: dict[str, list[str]],
    extraction: Extraction,
    fingerprint: str,
) -> None:
    kept = {
        name: [image for image in images if image not in extraction.skipped]
        for name, images in splits.items()
    }
    if not kept["train"]:
        raise InputError(f"{job.images}: none of the training pictures can be read")
    kept = {name: images for name, images in kept.items() if images}
    words = {
        image: [_tokens(job, text) for text in texts] for image, texts in source.captions.items()
    }
    vocabulary = Vocabulary.build(
        (caption for image in kept["train"] for caption in words[image]), job.min_count
    )
    if job.characters and not vocabulary.of_characters:
        raise InputError(
            f"{job.captions}: captions of several words are too few for a vocabulary of "
            "characters; lower --min-count, or leave --tokens out"
        )
    if len(vocabulary) == 4:
        raise InputError(
            f"{job.captions}: no word stands {job.min_count} times in the training captions; "
            "lower --min-count"
        )

    write_atomically(job.out / "vocab.json", vocabulary.to_json())
    references = {
        name: {image: source.captions[image] for image in images} for name, images in kept.items()
    }
    write_atomically(job.out / "references.json", json.dumps(references, ensure_ascii=False))
    counts = _write_captions(job, kept, words, vocabulary)
    _write_features(job, splits, extraction)
    for name, images in kept.items():
        write_atomically(job.out / f"{name}_images.txt", "".join(f"{i}\n" for i in images))
    info = {
        "schema_version": SCHEMA_VERSION,
        "limner_version": version("limner"),
        "fingerprint": fingerprint,
        "splits": counts,
        "vocabulary_sha256": vocabulary.sha256,
        "backbone": extraction.describe(),
        "tokenizer": "limner.vocabulary.tokenize",
        "min_count": job.min_count,
        "max_words": job.max_words,
        "source": {"images": str(job.images.resolve()), "captions": str(job.captions.resolve())},
        "skipped": extraction.skipped,
        **({"views": job.views} if job.views else {}),
    }
    write_atomically(
        job.out / "dataset.json", json.dumps(info, ensure_ascii=False, indent=2) + "\n"
    )


def _tokens(job: Job, text: str) -> list[str]:
    words = tokenize(text)
    return characters(words[: job.max_words]) if job.characters else words


def _write_captions(
    job: Job,
    kept: dict[str, list[str]],
    words: dict[str, list[list[str]]],
    vocabulary: Vocabulary,
) -> dict[str, dict[str, int]]:
    """Write captions.h5; returns how many pictures and captions each split has."""
    longest = max(len(caption) for images in kept.values() for i in images for caption in words[i])
    length = (longest if job.characters else min(longest, job.max_words)) + 2
    arrays: dict[str, Array] = {}
    counts = {}
    for name, images in kept.items():
        pairs = [(row, caption) for row, image in enumerate(images) for caption in words[image]]
        arrays[f"{name}_captions"] = np.stack([vocabulary.encode(c, length) for _, c in pairs])
        arrays[f"{name}_image_idxs"] = np.array([row for row, _ in pairs], dtype=np.int32)
        counts[name] = {"images": len(images), "captions": len(pairs)}
    with h5_writer(job.out / "captions.h5") as file:
        for key, array in arrays.items():
            file.create_dataset(key, data=array)
    return counts


def _write_features(job: Job, splits: dict[str, list[str]], extraction: Extraction) -> None:
    """Write {split}_features.h5, block by block: the rows of the pictures that could be read."""
    rows = extraction.rows()
    parts = [(f"{name}_features.h5", images) for name, images in splits.items()]
    parts += [(f"train_view{view}.h5", splits["train"]) for view in range(1, job.views + 1)]
    start = 0
    for name, images in parts:
        good = np.array(
            [start + i for i, image in enumerate(images) if image not in extraction.skipped],
            dtype=np.int64,
        )
        start += len(images)
        if not good.size:
            continue
        with h5_writer(job.out / name) as file:
            features = file.create_dataset("features", (len(good), *rows.shape[1:]), rows.dtype)
            for first in range(0, len(good), BLOCK):
                block = good[first : first + BLOCK]
                features[first : first + len(block)] = rows[block]
