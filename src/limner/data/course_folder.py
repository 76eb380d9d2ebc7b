"""The course's own folder, `coco_captioning`, as a dataset.

    coco2014_captions.h5                {train,val}_captions, {train,val}_image_idxs
    coco2014_vocab.json                 idx_to_word, word_to_idx
    {train,val}2014_vgg16_fc7[_pca].h5  features
    {train,val}2014_urls.txt            one URL per line

It has no raw references, so that models can be trained on it, but not scored.
"""

from pathlib import Path

from limner.data.dataset import Dataset, Split, check_split
from limner.data.hdf5 import map_features, read_arrays
from limner.errors import InputError
from limner.vocabulary import Vocabulary

DEMO_FOLDER = Path("limner-demo/dataset")

HOW = (
    "Either unpack the course's archive coco_captioning.zip (about 1 GB) there, or run "
    f"`limner demo`, which draws a dataset of its own, and pass base_dir='{DEMO_FOLDER}'."
)


def is_course_folder(folder: Path) -> bool:
    """Whether the folder is the course's `coco_captioning`."""
    return (folder / "coco2014_captions.h5").is_file()


def open_course_folder(folder: Path, pca_features: bool | None = None) -> Dataset:
    """The course's `coco_captioning` folder as a dataset (without raw references).

    Args:
        folder: the folder.
        pca_features: use features reduced to 512 dimensions; None uses them if they exist.

    Returns:
        The dataset.

    Raises:
        InputError: if files are missing or damaged.
    """
    if pca_features is None:
        pca_features = (folder / "train2014_vgg16_fc7_pca.h5").is_file()
    suffix = "_pca" if pca_features else ""
    names = ["coco2014_captions.h5", "coco2014_vocab.json"]
    for split in ("train", "val"):
        names += [f"{split}2014_vgg16_fc7{suffix}.h5", f"{split}2014_urls.txt"]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{folder}: {', '.join(missing)} missing. {HOW}")
    vocabulary = Vocabulary.load(folder / "coco2014_vocab.json")
    splits = {name: _course_split(folder, name, suffix, vocabulary) for name in ("train", "val")}
    return Dataset(folder, vocabulary, splits)


def _course_split(folder: Path, name: str, suffix: str, vocabulary: Vocabulary) -> Split:
    file = folder / "coco2014_captions.h5"
    captions, image_idxs = read_arrays(file, f"{name}_captions", f"{name}_image_idxs")
    features = map_features(folder / f"{name}2014_vgg16_fc7{suffix}.h5")
    check_split(file, name, captions, image_idxs, len(features), len(vocabulary))
    urls = (folder / f"{name}2014_urls.txt").read_text("utf-8").splitlines()
    if len(urls) != len(features):
        raise InputError(
            f"{folder / f'{name}2014_urls.txt'}: {len(urls)} URLs for {len(features)} images; "
            "unpack the course's archive again"
        )
    return Split(captions, image_idxs, features, tuple(url.strip() for url in urls))
