"""COCO's annotations, and Karpathy's splits of COCO and Flickr: JSON with a table of pictures."""

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from limner.data.formats.encoding import read_text
from limner.data.formats.json_captions import parse_json, shown
from limner.data.formats.tables import CaptionFile
from limner.errors import InputError


def read_annotations(path: Path) -> CaptionFile:
    """Captions of `captions_*.json`: `annotations` with the `image_id` of one of its `images`.

    A picture that is not listed goes by its number, which its file's name may hold.

    Raises:
        InputError: if the file cannot be read or has not a single caption.
    """
    content = _object(path, "annotations")
    names = {
        str(image.get("id")): image["file_name"]
        for image in _objects(content.get("images"))
        if isinstance(image.get("file_name"), str)
    }
    result = CaptionFile(path)
    for number, row in enumerate(content["annotations"]):
        image = row.get("image_id") if isinstance(row, dict) else None
        caption = row.get("caption") if isinstance(row, dict) else None
        if isinstance(caption, str) and isinstance(image, str | int):
            result.add(names.get(str(image), str(image)), caption, f"annotation {number}")
        else:
            wrong = f"image_id and caption expected, got {shown(row)}"
            result.pass_over(f"annotation {number}", "annotations without a caption", wrong)
    return _with_captions(result, "annotations with image_id and caption")


def read_karpathy(path: Path) -> CaptionFile:
    """Captions and splits of `dataset_*.json`; `restval` belongs to train.

    Raises:
        InputError: if the file cannot be read or has not a single caption.
    """
    result = CaptionFile(path)
    for number, image in enumerate(_object(path, "images")["images"]):
        name = image.get("filename") if isinstance(image, dict) else None
        if not isinstance(name, str) or not isinstance(image.get("sentences"), list):
            wrong = f"filename and sentences expected, got {shown(image)}"
            result.pass_over(f"image {number}", "images without sentences", wrong)
            continue
        folder, split = image.get("filepath"), image.get("split")
        name = posixpath.join(folder, name) if isinstance(folder, str) else name
        split = {"restval": "train"}.get(split, split) if isinstance(split, str) else ""
        for sentence in image["sentences"]:
            raw = sentence.get("raw") if isinstance(sentence, dict) else None
            if isinstance(raw, str):
                result.add(name, raw, f"image {number}", split)
            else:
                wrong = f"a sentence with raw expected, got {shown(sentence)}"
                result.pass_over(f"image {number}", "sentences without raw", wrong)
    return _with_captions(result, "images with filename and sentences")


def _object(path: Path, key: str) -> dict[str, Any]:
    content = parse_json(path, read_text(path))
    if not isinstance(content, dict) or not isinstance(content.get(key), list):
        raise InputError(f"{path}: expected an object with a list `{key}`, got {shown(content)}")
    return content


def _objects(rows: Any) -> Iterator[dict[str, Any]]:
    return (row for row in rows if isinstance(row, dict)) if isinstance(rows, list) else iter(())


def _with_captions(result: CaptionFile, expected: str) -> CaptionFile:
    if not result.captions:
        why = "".join(f" ({problem})" for problem in result.problems[:1])
        raise InputError(f"{result.path}: not a single caption in it; expected {expected}{why}")
    return result
