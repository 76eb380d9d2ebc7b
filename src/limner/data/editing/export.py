"""Export of a dataset: COCO's JSON, JSON lines, WebDataset.

The files are reproducible byte for byte.
"""

import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import chain, count, islice
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from limner.config import Config, Positive
from limner.data.dataset import Dataset
from limner.errors import InputError
from limner.io import atomic_folder, write_atomically


class ExportConfig(Config, frozen=True, kw_only=True):
    """Options of the export."""

    format: Annotated[Literal["coco", "jsonl", "webdataset"], Meta(description="Output format.")]
    shard_size: Annotated[Positive, Meta(description="Number of images per WebDataset shard.")] = (
        1000
    )

    def without_effect(self) -> Iterator[tuple[bool, Sequence[str], str]]:
        """See `Config.without_effect`."""
        yield self.format != "webdataset", ("shard_size",), f"format {self.format}"


_COCO_NAME = re.compile(r"(?:^|[_/])(\d{12})\.\w+$")


def export_coco(dataset: Dataset, out: Path) -> list[Path]:
    """Write `captions_{split}.json` in the format of COCO's annotations.

    If all images have COCO's names, they keep COCO's ids; otherwise the ids are 1, 2, ..., across
    all splits.

    Args:
        dataset: with raw captions.
        out: the new folder.

    Returns:
        The files.

    Raises:
        InputError: if `out` exists already.
        LimnerError: if it cannot be written.
    """
    _check_free(out)
    numbers = _numbers(dataset.references)
    annotation_ids = count(1)
    names = []
    with atomic_folder(out) as folder:
        for split, captions in dataset.references.items():
            annotations = [
                {"id": next(annotation_ids), "image_id": numbers[image], "caption": text}
                for image, texts in captions.items()
                for text in texts
            ]
            content = {
                "info": {
                    "description": f"{dataset.path.resolve().name}, {split}; limner "
                    f"{version('limner')}"
                },
                "licenses": [],
                "images": [{"id": numbers[image], "file_name": image} for image in captions],
                "annotations": annotations,
            }
            names.append(f"captions_{split}.json")
            (folder / names[-1]).write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return [out / name for name in names]


def _numbers(references: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    images = [image for captions in references.values() for image in captions]
    found = [int(match[1]) for image in images if (match := _COCO_NAME.search(image))]
    if len(set(found)) < len(images):
        found = list(range(1, len(images) + 1))
    return dict(zip(images, found, strict=True))


def export_jsonl(dataset: Dataset, out: Path) -> list[Path]:
    """Write a file with one image per line: image, split, captions.

    Args:
        dataset: with raw captions.
        out: the new file.

    Returns:
        The file, in a list.

    Raises:
        InputError: if `out` exists already.
        LimnerError: if it cannot be written.
    """
    _check_free(out)
    rows = (
        {"image": image, "split": split, "captions": texts}
        for split, captions in dataset.references.items()
        for image, texts in captions.items()
    )
    write_atomically(out, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))
    return [out]


def export_webdataset(
    dataset: Dataset, out: Path, shard_size: int = 1000
) -> tuple[list[Path], dict[str, str]]:
    """Write shards `{split}-000000.tar`: KEY.jpg, the unchanged image, and KEY.json.

    A key is the image name without extension, with `_` for dots. Features without images are stored
    as KEY.npy.

    Returns:
        The shards, and {image id: why it could not be read} of omitted images.

    Args:
        dataset: with raw captions.
        out: the new folder.
        shard_size: images per shard.

    Raises:
        InputError: if `out` exists already, or no image can be read.
        LimnerError: if it cannot be written.
    """
    _check_free(out)
    gone: dict[str, str] = {}
    names: list[str] = []
    with atomic_folder(out) as folder:
        for split in dataset.splits:
            samples = _samples(dataset, split, gone)
            for number, first in enumerate(samples):
                names.append(f"{split}-{number:06d}.tar")
                with tarfile.open(folder / names[-1], "w", format=tarfile.PAX_FORMAT) as tar:
                    for sample in chain([first], islice(samples, shard_size - 1)):
                        _add(tar, sample)
        if not names:
            raise InputError(f"{next(iter(gone.values()))}; none of the images is there any more")
    return [out / name for name in names], gone


def _samples(
    dataset: Dataset, split: str, gone: dict[str, str]
) -> Iterator[list[tuple[str, bytes]]]:
    """Name and bytes of the files of each image, sorted by key; fills `gone`."""
    part = dataset.splits[split]
    keys = _keys(part.image_ids)
    for row in sorted(range(len(keys)), key=lambda row: keys[row]):
        image, key = part.image_ids[row], keys[row]
        try:
            content = _content(dataset, split, row)
        except InputError as error:
            gone[image] = str(error)
            continue
        facts = {"image": image, "captions": dataset.references[split][image]}
        text = json.dumps(facts, ensure_ascii=False).encode()
        yield [*((f"{key}{ending}", data) for ending, data in content), (f"{key}.json", text)]


def _content(dataset: Dataset, split: str, row: int) -> list[tuple[str, bytes]]:
    """Extension and bytes of an image file, or of its features without an image."""
    image = dataset.splits[split].image_ids[row]
    if dataset.origins.have_images:
        image_file = dataset.image_file(image)
        try:
            content = (
                image_file.read_bytes()
                if isinstance(image_file, Path)
                else image_file.open().read()
            )
        except OSError as error:
            raise InputError(f"{image_file}: cannot be read ({error.strerror})") from None
        return [(PurePosixPath(image).suffix.lower(), content)]
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(dataset.splits[split].features[row]))
    return [(".npy", buffer.getvalue())]


def _keys(images: Sequence[str]) -> list[str]:
    """Unique names without extensions and dots.

    >>> _keys(["a/1.jpg", "a/1.png", "b.c.jpg"])
    ['a/1', 'a/1_png', 'b_c']
    """
    taken: dict[str, None] = {}
    for image in images:
        path = PurePosixPath(image.lstrip("/"))
        key = str(path.with_name(path.stem.replace(".", "_")))
        whole = str(path.with_name(path.name.replace(".", "_")))
        key = whole if key in taken else key
        while key in taken:
            key += "_"
        taken[key] = None
    return list(taken)


def _add(tar: tarfile.TarFile, files: Sequence[tuple[str, bytes]]) -> None:
    for name, content in files:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))


def _check_free(out: Path) -> None:
    if out.exists():
        raise InputError(f"{out}: exists already; choose another `out`, or delete it first")
