"""Files of captions to be scored, and of references to score them against, as people have them.

    COCO's results         [{"image_id": 1, "caption": "..."}, ...]
    COCO's annotations     {"annotations": [{"image_id": 1, "caption": "..."}, ...], ...}
    by id                  {"1": "..."} or {"1": ["...", "..."]}
    limner's results       what `limner evaluate --json` wrote
    JSON lines             one object a line, as in COCO's results; `limner caption --json` too
    CSV, TSV, token file   what `limner prepare` reads, see `limner.data.formats`

Ids are text: 1 and "1" are the same picture.
"""

from pathlib import Path

from limner.data.formats import Columns, read_captions
from limner.errors import InputError

Captions = dict[str, list[str]]

COLUMNS = Columns(image=("image", "image_id", "id"), caption=("caption", "captions"), split=())
"""What is read here: an id comes before the name of a file."""


def read_candidates(path: Path) -> dict[str, str]:
    """One caption of each picture, {id: caption}; a caption may be empty.

    Raises:
        InputError: if the file is missing, none of the formats, or has two captions of a picture.
    """
    captions = read_references(path)
    for image, several in captions.items():
        if len(several) > 1:
            raise InputError(
                f"{path}: {len(several)} captions of {image}, expected one; is it the references?"
            )
    return {image: one for image, [one] in captions.items()}


def read_references(path: Path) -> Captions:
    """All captions of each picture, {id: captions}.

    Raises:
        InputError: if the file is missing, or none of the formats.
    """
    found = read_captions(path, raw=True, columns=COLUMNS)
    if found.problems:
        raise InputError(found.problems[0])
    return found.captions
