"""Captions as they are written, and the pictures that were found: both together are a source."""

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from limner.data.formats.caption_file import CaptionFile
from limner.data.formats.matching import Match, match_names
from limner.data.formats.problems import Problems
from limner.data.formats.source import Picture, Source
from limner.data.formats.splits import read_split_files
from limner.errors import InputError


def join(
    source: Source,
    written: CaptionFile,
    pictures: Mapping[str, Picture] | Collection[str],
    split_files: Mapping[str, Path] | None = None,
    once: bool = True,
) -> Source:
    """Put captions and splits under the ids of their pictures; complete `source` with them.

    A name without a picture is kept as it is written, and a picture stays in the first split that
    names it.

    Args:
        source: with its path, format and title.
        written: captions by name, and splits if it has them.
        pictures: {id: picture}, or the ids of features.
        split_files: {split: file with a name a line}, in the place of the splits that stand among
            the captions.
        once: leave out a caption that the picture has already.

    Raises:
        InputError: if not one name is a picture.
    """
    path, problems = written.path, written.passed_over
    named = read_split_files(split_files) if split_files else written.splits
    names = dict.fromkeys([*written.captions, *(name for some in named.values() for name in some)])
    match = match_names(names, pictures)
    for name, several in match.unsure.items():
        line = f"{path}: {name} could be {' or '.join(several[:3])}; write the folder too"
        problems.add(f"names in {path} that could be several pictures", line)
        if not match.found:
            raise InputError(f"{line}; so with all its pictures")
    if not match.found:
        raise InputError(
            f"{path}: none of its pictures, such as {next(iter(written.captions))!r}, is among the "
            f"{len(pictures)} of {source.root}, such as {next(iter(pictures))!r}; name their "
            "folder by --images, or write the names as the files have them"
        )
    source.pictures = dict(pictures) if isinstance(pictures, Mapping) else {}
    for name, texts in written.captions.items():
        source.captions.setdefault(match.found.get(name, name), []).extend(texts)
    if once:
        _drop_duplicates(source.captions, path, problems)
    _add_splits(source, path, match, named, problems)
    source.problems += problems.lines()
    if list(source.splits) == ["train"] and not split_files:  # that all of it is there says nothing
        source.splits = {}
    return source


def _drop_duplicates(captions: dict[str, list[str]], path: Path, problems: Problems) -> None:
    dropped, example = 0, ""
    for image, texts in captions.items():
        once = list(dict.fromkeys(texts))
        if len(once) < len(texts):
            dropped += len(texts) - len(once)
            twice = next(text for text in once if texts.count(text) > 1)
            example = example or f"{image}: {twice[:60]}"
            captions[image] = once
    if dropped:
        times = "1 caption stands" if dropped == 1 else f"{dropped} captions stand"
        problems.add("duplicates", f"{path}: {times} there twice, taken once ({example})")


def _add_splits(
    source: Source,
    path: Path,
    match: Match,
    splits: Mapping[str, Iterable[str]],
    problems: Problems,
) -> None:
    owner: dict[str, str] = {}
    for split, names in splits.items():
        if not re.fullmatch(r"\w[\w-]*", split):  # files are named for it
            raise InputError(
                f"{path}: a split named {split!a}; name it with letters, digits, - and _ alone"
            )
        for name in dict.fromkeys(names):
            image = match.found.get(name, name)
            first = owner.get(image)
            if first is None:
                owner[image] = split
                source.splits.setdefault(split, []).append(image)
            elif first != split:
                line = f"{path}: {image} is in the splits {first} and {split}; left in {first}"
                problems.add("pictures in two splits", line)
