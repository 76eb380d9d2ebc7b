"""Images with equal contents: bytes, or rows of features."""

from collections.abc import Hashable, Iterable, Sequence

NAMED = 10
"""Maximum number of names per line."""

Same = dict[str, list[str]]
"""{split: ids} of equal images."""


def find_same(images: Iterable[tuple[str, str, Hashable]]) -> list[Same]:
    """Find images that occur more than once.

    Args:
        images: split, id and content of each.

    >>> find_same([("train", "a", 1), ("train", "b", 2), ("dev", "c", 1)])
    [{'train': ['a'], 'dev': ['c']}]
    """
    owners: dict[Hashable, Same] = {}
    for split, image, content in images:
        owners.setdefault(content, {}).setdefault(split, []).append(image)
    return [ids for ids in owners.values() if sum(map(len, ids.values())) > 1]


def leaks(same: Iterable[Same]) -> list[Same]:
    """Images in several splits, on which scores are too high."""
    return [ids for ids in same if len(ids) > 1]


def repeats(same: Iterable[Same]) -> list[list[str]]:
    """Images that occur several times in one split."""
    return [images for ids in same for images in ids.values() if len(images) > 1]


def describe_same(same: Sequence[Same]) -> list[str]:
    """A line for each kind, if there are any."""
    across = [
        " = ".join(f"{image} ({split})" for split, images in ids.items() for image in images)
        for ids in leaks(same)
    ]
    within = [" = ".join(images) for images in repeats(same)]
    return [
        *named("the same image in several splits (a model is tested on it, too)", across),
        *named("the same image twice in a split", within),
    ]


def named(what: str, names: Sequence[str]) -> list[str]:
    """A line with the number of names and the first of them; none without names.

    >>> named("images without captions", ["a.jpg", "b.jpg"])
    ['images without captions: 2: a.jpg, b.jpg']
    """
    if not names:
        return []
    more = f", and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return [f"{what}: {len(names):,}: {', '.join(names[:NAMED])}{more}"]
