"""Where a dataset's images came from, and where they are: below a folder, or in shards.

A dataset of one source has it under `source` in dataset.json. One that was merged has `sources`, in
the order of its rows: of each how many images of a split it gave, and which of them are called
otherwise here.
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
        info: what dataset.json holds.
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
        """Whether any of them had images, and not features alone."""
        return any(origin.source.format != "features" for origin in self.all)

    def place(self, image_id: str) -> tuple[SourceInfo, str]:
        """The source that an image came from, and its name there."""
        origin = self._owner.get(image_id, self.all[0])
        return origin.source, origin.renamed.get(image_id, image_id)

    def find(self, image_id: str) -> ImageFile:
        """Where an image was when the dataset was prepared.

        Raises:
            InputError: if it was never there, or its shard is gone.
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
        """What images are in shards, which are read once; none where they are gone."""
        if path not in self._shards:
            try:
                self._shards[path] = read_source(Path(path), format="webdataset").image_files
            except InputError:
                self._shards[path] = {}
        return self._shards[path]

    @cached_property
    def _owner(self) -> dict[str, Origin]:
        """Whose an image is, where there are several."""
        owner: dict[str, Origin] = {}
        if len(self.all) > 1:
            for split, images in self._image_ids.items():
                rest = iter(images)
                for origin in self.all:
                    mine = islice(rest, origin.image_counts.get(split, 0))
                    owner.update(dict.fromkeys(mine, origin))
        return owner


def noted(places: Mapping[str, Sequence[tuple[str, SourceInfo, str]]]) -> DatasetInfo:
    """What dataset.json says of images: {split: (name, source, name there)}, in order.

    Those of one source that follow each other are an origin; the splits share the list of them.

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
