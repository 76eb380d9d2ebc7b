"""Errors for sources that cannot be used, with advice."""

from collections import Counter
from pathlib import Path

from limner.data.formats.folder import Folder
from limner.errors import InputError
from limner.images.images import SUFFIXES

_UNPACK = (".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".rar", ".7z", ".gz")


def refuse_file(path: Path) -> None:
    """Refuse a file by its name that has no captions, shards or features.

    Raises:
        InputError: if it is an archive, an image, or a table that is not text.
    """
    name = path.name.lower()
    if name.endswith(_UNPACK):
        tool = "gunzip" if name.endswith((".tar.gz", ".tgz", ".gz")) else "the program that made it"
        raise InputError(f"{path}: compressed; unpack it with {tool} first")
    if name.endswith((".parquet", ".arrow", ".xlsx", ".xls", ".ods", ".mat", ".pkl", ".pickle")):
        raise InputError(f"{path}: not read; save it as CSV in UTF-8, with image and caption")
    if path.suffix.lower() in SUFFIXES:
        raise InputError(f"{path}: an image; name the folder with images and captions")


def refuse_prepared(path: Path) -> None:
    """Refuse a folder that needs no preparation.

    Raises:
        InputError: if it is a dataset, complete or not, or the course's folder.
    """
    if (path / "coco2014_captions.h5").exists():
        what = "the course's coco_captioning folder needs no preparing"
    elif (path / "dataset.json").is_file() and (path / "captions.h5").is_file():
        what = "a dataset that is prepared already"
    elif (path / "partial" / "lock").exists():
        raise InputError(
            f"{path}: an unfinished dataset; give the source, and this folder as `out`"
        )
    else:
        return
    raise InputError(f"{path}: {what}; train on it with `limner train {path} --out run`")


def no_format(folder: Folder) -> InputError:
    """The error for a folder in which no format is detected."""
    count = len(folder.image_files)
    if not count and not folder.others:
        return InputError(f"{folder.path}: an empty folder; expected images and their captions")
    for path in folder.others.values():
        try:
            refuse_file(path)
        except InputError as error:
            return InputError(f"{folder.path}: no captions in it ({error})")
    if not count:
        return InputError(
            f"{folder.path}: no images in it ({', '.join(sorted(SUFFIXES))}) and no captions; "
            f"it has {', '.join(list(folder.others)[:3])}"
        )
    classes = Counter(name.split("/")[0] for name in folder.image_files if "/" in name)
    if len(classes) > 1 and classes.total() == count:
        names = ", ".join(list(classes)[:3]) + (", ..." if len(classes) > 3 else "")
        return InputError(
            f"{folder.path}: folders of images ({names}) and no captions; the name of a class is "
            "not a sentence to learn from: write captions.csv with a header image,caption and a "
            "sentence for each image"
        )
    number = "1 image" if count == 1 else f"{count} images"
    return InputError(
        f"{folder.path}: {number} and no captions; write captions.csv with a header image,caption "
        "beside them, or give a file of captions with `captions`"
    )
