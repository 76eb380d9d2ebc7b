"""Files of captions and of references, in common formats.

    COCO's results         [{"image_id": 1, "caption": "..."}, ...]
    COCO's annotations     {"annotations": [{"image_id": 1, "caption": "..."}, ...], ...}
    by id                  {"1": "..."} or {"1": ["...", "..."]}
    limner's results       as `limner evaluate --json` writes them
    JSON lines             one object per line, as in COCO's results, or of `limner caption --json`
    CSV, TSV, token file   as for `limner prepare`, see `limner.data.formats`

Ids are text: 1 and "1" are the same image.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from limner.data.formats import Columns, read_captions
from limner.errors import InputError

Captions = dict[str, list[str]]

COLUMNS = Columns(image=("image", "image_id", "id"), caption=("caption", "captions"), split=())
"""Column names; an id is preferred to a file name."""


def read_candidates(path: Path) -> dict[str, str]:
    """Read one caption per image, {id: caption}; captions may be empty.

    Args:
        path: the file.

    Raises:
        InputError: if the file cannot be read, or has two captions of an image.
    """
    captions = read_references(path)
    for image, several in captions.items():
        if len(several) > 1:
            raise InputError(
                f"{path}: {len(several)} captions of {image}, expected one; is it the references?"
            )
    return {image: one for image, [one] in captions.items()}


def read_references(path: Path) -> Captions:
    """Read all captions of each image, {id: captions}.

    Args:
        path: the file.

    Raises:
        InputError: if the file cannot be read.
    """
    found = read_captions(path, raw=True, columns=COLUMNS)
    if found.problems:
        raise InputError(found.problems[0])
    return found.captions


def joined(
    candidates: Path | Mapping[str, str],
    references: Path | Mapping[str, list[str]],
    warn: Callable[[str], None] = lambda line: None,
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Match captions and references by image id.

    Args:
        candidates: a file of captions, or {image id: caption}.
        references: a file of references, or {image id: references}; a text is one reference.
        warn: called with a message about ids that only one of them has.

    Returns:
        The captions that have references, and all references.

    Raises:
        InputError: as `read_references`; or without a common id.
    """
    captions = read_candidates(candidates) if isinstance(candidates, Path) else dict(candidates)
    known = read_references(references) if isinstance(references, Path) else dict(references)
    known = {image: [one] if isinstance(one, str) else one for image, one in known.items()}
    names = (
        candidates if isinstance(candidates, Path) else "candidates",
        references if isinstance(references, Path) else "references",
    )
    both = {image: caption for image, caption in captions.items() if image in known}
    if not both:
        raise InputError(
            f"{names[0]}: none of its {len(captions)} ids is in {names[1]}; "
            f"{next(iter(captions), None)!r} here, {next(iter(known), None)!r} there"
        )
    for name, ids, lack in (
        (names[0], [i for i in captions if i not in known], "without references skipped"),
        (names[1], [i for i in known if i not in captions], "without caption skipped"),
    ):
        if ids:
            named = ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
            warn(f"{name}: {len(ids)} ids {lack}: {named}")
    return both, known
