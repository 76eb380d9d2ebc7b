"""Assignment of captions and splits to images."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from limner.data.formats.matching import match_names
from limner.data.formats.source import Source
from limner.data.formats.splits import read_names, read_split_files, split_of_file
from limner.errors import InputError


def join(source: Source, split_files: Mapping[str, Path], once: bool) -> None:
    """Replace the names in captions and splits by image ids, in place.

    Names without an image are kept; an image is in the first split that names it.

    Args:
        source: as read by a format.
        split_files: {split: file with one name per line}, instead of the source's own splits.
        once: remove repeated captions of an image.

    Raises:
        InputError: if no name matches an image.
    """
    path, problems, written = source.path, source.passed_over, source.captions
    images = source.image_files or dict.fromkeys(source.feature_ids)
    splits = read_split_files(split_files) if split_files else source.splits
    source.files += split_files.values()
    match = match_names(
        dict.fromkeys([*written, *(n for ns in splits.values() for n in ns)]), images
    )
    for name, several in match.unsure.items():
        line = f"{path}: {name} could be {' or '.join(several[:3])}; write the folder too"
        problems.add(f"names in {path} that match several images", line)
        if not match.found:
            raise InputError(f"{line}; the same holds for all its images")
    if not match.found:
        raise InputError(
            f"{path}: none of its images, such as {next(iter(written))!r}, is among the "
            f"{len(images)} of {source.root}, such as {next(iter(images))!r}; name their folder by "
            "`images`, or write the names as the files have them"
        )
    source.captions = {}
    for name, texts in written.items():
        source.captions.setdefault(match.found.get(name, name), []).extend(texts)
    if once:
        _drop_duplicates(source)
    ids = {split: [match.found.get(n, n) for n in names] for split, names in splits.items()}
    _set_splits(source, ids)
    if list(source.splits) == ["train"] and not split_files:  # that all of it is there says nothing
        source.splits = {}


def _drop_duplicates(source: Source) -> None:
    dropped, example = 0, ""
    for image, texts in source.captions.items():
        once = list(dict.fromkeys(texts))
        if len(once) < len(texts):
            dropped += len(texts) - len(once)
            twice = next(text for text in once if texts.count(text) > 1)
            example = example or f"{image}: {twice[:60]}"
            source.captions[image] = once
    if dropped:
        times = "1 caption stands" if dropped == 1 else f"{dropped} captions stand"
        line = f"{source.path}: {times} there twice, taken once ({example})"
        source.passed_over.add("duplicates", line)


def _set_splits(source: Source, splits: Mapping[str, Iterable[str]]) -> None:
    source.splits = {}
    owner: dict[str, str] = {}
    for split, images in splits.items():
        if not re.fullmatch(r"\w[\w-]*", split):  # files are named for it
            raise InputError(
                f"{source.path}: a split named {split!a}; name it with letters, digits, - and _ "
                "alone"
            )
        for image in dict.fromkeys(images):
            first = owner.setdefault(image, split)
            if first == split:
                source.splits.setdefault(split, []).append(image)
            else:
                line = f"{image} is in the splits {first} and {split}; left in {first}"
                source.passed_over.add("images in two splits", f"{source.path}: {line}")


def split_files_beside(source: Source) -> dict[str, Path]:
    """Files such as Flickr_8k.trainImages.txt, if they contain names of the captions."""
    files: dict[str, Path] = {}
    captions = source.files[0]
    for file in sorted(captions.parent.glob("*.txt")):
        split = split_of_file(file.name)
        if split and file != captions and file.is_file():
            names = []
            with suppress(InputError):
                names = read_names(file)
            if 2 * len(match_names(names, source.captions).found) > len(names):
                files[split] = file
            else:
                line = f"{file}: no split, few of its lines name an image"
                source.passed_over.add("files that are no split", line)
    return files if "train" in files and len(files) > 1 else {}
