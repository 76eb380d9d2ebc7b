"""The sources of a dataset's images, and their files: in a folder, or in shards.

A dataset with one source has it under `source` in dataset.json. A merged one has `sources`, in the
order of its rows, each with its number of images per split, and its renamed images.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path

from limner.data.formats import ImageFile, read_source
from limner.data.schema import DatasetInfo, Origin, SourceInfo
from limner.errors import InputError


class Origins:
    """All origins of a dataset, in the order of its rows.

    Args:
        info: the contents of dataset.json.
        image_ids: {split: names of its images}.

    >>> info = DatasetInfo(source=SourceInfo(images="photos"))
    >>> origins = Origins(info, {"train": ["a/1.jpg"]})
    >>> origins.find("a/1.jpg").as_posix()
    'photos/a/1.jpg'
    """

    def __init__(self, info: DatasetInfo, image_ids: Mapping[str, Sequence[str]]) -> None:
        self._image_ids = image_ids
        counts = {split: len(images) for split, images in image_ids.items()}
        self.all = info.sources or [Origin(info.source, counts)]
        self._shards: dict[str, Mapping[str, ImageFile]] = {}

    @property
    def have_images(self) -> bool:
        """Whether any source has images, not only features."""
        return any(origin.source.format != "features" for origin in self.all)

    def place(self, image_id: str) -> tuple[SourceInfo, str]:
        """The source of an image, and its name there."""
        origin = self._owner.get(image_id, self.all[0])
        return origin.source, origin.renamed.get(image_id, image_id)

    def find(self, image_id: str) -> ImageFile:
        """The file of an image, as it was when the dataset was prepared.

        Raises:
            InputError: if there was none, or its shard is missing.
        """
        source, name = self.place(image_id)
        if source.format == "webdataset":
            path = str(source.path)
            if name not in self._in_shards(path):
                raise InputError(f"{path}: the image {name} is not in it any more")
            return self._in_shards(path)[name]
        if source.format == "features":
            raise InputError(f"{image_id}: only its features were given, no image")
        return Path(source.images or "") / name

    def _in_shards(self, path: str) -> Mapping[str, ImageFile]:
        """The images of shards, which are read once; empty if they are missing."""
        if path not in self._shards:
            try:
                self._shards[path] = read_source(Path(path), format="webdataset").image_files
            except InputError:
                self._shards[path] = {}
        return self._shards[path]

    @cached_property
    def _owner(self) -> dict[str, Origin]:
        """The index of the source of an image."""
        owner: dict[str, Origin] = {}
        if len(self.all) > 1:
            for split, images in self._image_ids.items():
                rest = iter(images)
                for origin in self.all:
                    mine = islice(rest, origin.image_counts.get(split, 0))
                    owner.update(dict.fromkeys(mine, origin))
        return owner


def noted(places: Mapping[str, Sequence[tuple[str, SourceInfo, str]]]) -> DatasetInfo:
    """The sources for dataset.json, from {split: (name, source, name there)}, in order.

    Consecutive images of one source form an `Origin`; the splits share the list of origins.

    >>> noted({"train": [("1.jpg", SourceInfo(path="a"), "1.jpg")]}).source.path
    'a'
    """
    origins: list[Origin] = []
    for split, images in places.items():
        first = 0
        for source, run in groupby(images, key=itemgetter(1)):
            names = {here: there for here, _, there in run}
            renamed = {here: there for here, there in names.items() if here != there}
            free = (n for n in range(first, len(origins)) if origins[n].source == source)
            first = next(free, len(origins))
            if first == len(origins):
                origins.append(Origin(source, {}, {}))
            origins[first].image_counts[split] = len(names)
            origins[first].renamed.update(renamed)
            first += 1
    alone = len(origins) == 1 and not origins[0].renamed
    return DatasetInfo(source=origins[0].source, sources=None if alone else origins)
