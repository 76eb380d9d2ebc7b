"""Where a dataset's pictures came from, and where they are: below a folder, or in shards.

A dataset of one source has it under `source` in dataset.json. One that was merged has `sources`, in
the order of its rows: of each how many pictures of a split it gave, and which of them are called
otherwise here.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from limner.data.formats import Picture, read_source
from limner.data.schema import DatasetInfo, Origin
from limner.errors import InputError
from limner.typing import Array, Int


class Origins:
    """All origins of a dataset, in the order of its rows.

    Args:
        info: what dataset.json holds.
        image_ids: {split: names of its pictures}.

    >>> from limner.data.schema import SourceInfo
    >>> info = DatasetInfo(source=SourceInfo(images="photos"))
    >>> origins = Origins(info, {"train": ["a/1.jpg"]})
    >>> origins.find("a/1.jpg").as_posix()
    'photos/a/1.jpg'
    """

    def __init__(self, info: DatasetInfo, image_ids: Mapping[str, Sequence[str]]) -> None:
        self._image_ids = image_ids
        counts = {split: len(images) for split, images in image_ids.items()}
        self.all = info.sources or [Origin(info.source, counts)]
        self._shards: dict[str, Mapping[str, Picture]] = {}

    @property
    def have_pictures(self) -> bool:
        """Whether any of them had pictures, and not features alone."""
        return any(origin.has_pictures for origin in self.all)

    def find(self, image_id: str) -> Picture:
        """Where a picture was when the dataset was prepared.

        Raises:
            InputError: if it was never there, or its shard is gone.
        """
        origin = self._owner.get(image_id, self.all[0])
        name = origin.renamed.get(image_id, image_id)
        if origin.source.format == "webdataset":
            path = str(origin.source.path)
            if name not in self._in_shards(path):
                raise InputError(f"{path}: the picture {name} is not in it any more")
            return self._in_shards(path)[name]
        if not origin.has_pictures:
            raise InputError(f"{image_id}: only its features were given, no picture")
        return Path(origin.source.images or "") / name

    def cut(self, rows: Mapping[str, Int[Array, " M"]]) -> list[Origin]:
        """The origins of these rows of each split, which ascend."""
        found = []
        first = dict.fromkeys(self._image_ids, 0)
        for origin in self.all:
            pictures, names = {}, set[str]()
            for split, chosen in rows.items():
                start, end = first[split], first[split] + origin.pictures.get(split, 0)
                mine = chosen[(chosen >= start) & (chosen < end)]
                pictures[split], first[split] = len(mine), end
                names.update(self._image_ids[split][row] for row in mine)
            renamed = {here: there for here, there in origin.renamed.items() if here in names}
            found.append(Origin(origin.source, pictures, renamed))
        return [origin for origin in found if any(origin.pictures.values())]

    def _in_shards(self, path: str) -> Mapping[str, Picture]:
        """What pictures are in shards, which are read once; none where they are gone."""
        if path not in self._shards:
            try:
                self._shards[path] = read_source(Path(path), format="webdataset").pictures
            except InputError:
                self._shards[path] = {}
        return self._shards[path]

    @cached_property
    def _owner(self) -> dict[str, Origin]:
        """Whose a picture is, where there are several."""
        owner: dict[str, Origin] = {}
        if len(self.all) > 1:
            for split, images in self._image_ids.items():
                whose = np.repeat(
                    np.arange(len(self.all)), [one.pictures.get(split, 0) for one in self.all]
                )
                for image, which in zip(images, whose, strict=True):
                    owner[image] = self.all[which]
        return owner


def noted(origins: Sequence[Origin]) -> DatasetInfo:
    """What dataset.json says of them.

    >>> from limner.data.schema import SourceInfo
    >>> noted([Origin(SourceInfo(path="a"), {"train": 2})]).source.path
    'a'
    """
    origins = _joined(origins)
    alone = len(origins) == 1 and not origins[0].renamed
    return DatasetInfo(source=origins[0].source, sources=None if alone else origins)


def _joined(origins: Sequence[Origin]) -> list[Origin]:
    """Neighbours of one source, such as two halves that were merged, as one."""
    joined: list[Origin] = []
    for origin in origins:
        if joined and joined[-1].source == origin.source:
            last = joined.pop()
            counts = Counter(last.pictures)
            counts.update(origin.pictures)
            renamed = {**last.renamed, **origin.renamed}
            joined.append(Origin(origin.source, dict(counts), renamed))
        else:
            joined.append(origin)
    return joined
