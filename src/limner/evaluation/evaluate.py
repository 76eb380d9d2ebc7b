"""Caption a split, and score the captions against the raw references."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from limner.data.dataset import Dataset
from limner.decoding import GREEDY, NO_CAPTION, Decoder, DecodingConfig, decode
from limner.engine.numpy import fast_decoder
from limner.errors import InputError
from limner.metrics import DocumentFrequency, Scores, tokenize
from limner.metrics import score as score_tokens
from limner.models import WordModel
from limner.vocabulary import Vocabulary

Tokens = list[str]


@dataclass(frozen=True)
class Evaluation:
    """Captions and their scores.

    Attributes:
        captions: {image id: caption}.
        references: {image id: raw captions}; the same images.
        candidate_tokens: the captions' tokens, in the same order.
        reference_tokens: the references' tokens, in the same order.
        table: scores of each image, in the same order, from which those of the set are computed.
    """

    captions: dict[str, str]
    references: dict[str, list[str]]
    candidate_tokens: list[Tokens]
    reference_tokens: list[list[Tokens]]
    table: Scores

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {value:.1f}" for name, value in self.scores.items())
        return f"Evaluation({len(self.captions):,} images: {scores})"

    @cached_property
    def scores(self) -> dict[str, float]:
        """The scores of the whole set: {"BLEU-1": ..., ..., "CIDEr": ...}, from 0 to 100."""
        return self.table.corpus


def score(
    captions: dict[str, str],
    references: dict[str, list[str]],
    training: DocumentFrequency | None = None,
) -> Evaluation:
    """Score captions against raw references with the same ids.

    Args:
        captions: {image id: caption}.
        references: {image id: raw captions}; may have more ids.
        training: document frequencies of the training set, for CIDEr-D.

    Returns:
        The captions with their scores.

    >>> references = {"a.jpg": ["A red dog.", "A dog."], "b.jpg": ["Two cats."]}
    >>> result = score({"a.jpg": "a red dog", "b.jpg": "two cats"}, references)
    >>> round(result.scores["BLEU-2"], 1)
    100.0
    """
    used = {image: references[image] for image in captions}
    candidate_tokens = [tokenize(caption) for caption in captions.values()]
    reference_tokens = [tokenize_all(several) for several in used.values()]
    table = score_tokens(candidate_tokens, reference_tokens, training)
    return Evaluation(captions, used, candidate_tokens, reference_tokens, table)


def tokenize_all(captions: Iterable[str]) -> list[Tokens]:
    """The tokens of each caption."""
    return [tokenize(caption) for caption in captions]


def training_tokens(dataset: Dataset) -> list[list[Tokens]]:
    """The tokens of the references of the split `train`, by image; empty without references."""
    references = dataset.references.get("train", {})
    images = dataset.splits["train"].image_ids if references else ()
    return [tokenize_all(references[image]) for image in images]


def evaluate(
    model: WordModel,
    dataset: Dataset,
    split: str | None = None,
    how: DecodingConfig = GREEDY,
    training: DocumentFrequency | None = None,
    decoder: Decoder | None = None,
) -> Evaluation:
    """Caption every image of a split, and score the captions.

    Args:
        model: for the features of the dataset.
        dataset: with raw references.
        split: its name; None takes the validation split, see `Dataset.split`.
        how: decoding options.
        training: document frequencies of the training set, for CIDEr-D.
        decoder: of the model; None creates one.

    Returns:
        The captions with their scores.

    Raises:
        InputError: if the features do not fit the model, there are no references, or no caption
            meets the constraints.
    """
    if how.n_best > 1:
        raise InputError(f"`n_best` {how.n_best} has no effect on scores: leave it out")
    dataset = dataset.reading(model.reads_grid)
    name, part = dataset.split(split)
    if name not in dataset.references:
        raise InputError(
            f"{dataset.path}: no references.json, and scores are computed from raw references "
            "alone; the course's own files do not hold them"
        )
    check_features(dataset, model)
    decoder = decoder or fast_decoder(model)
    captions = caption_features(decoder, model.word_to_idx, part.features, how)
    by_id = dict(zip(part.image_ids, captions, strict=True))
    return score(by_id, dataset.references[name], training)


def check_features(dataset: Dataset, model: WordModel) -> None:
    """Raise InputError if a model cannot read a dataset's features."""
    if dataset.has_grid != model.reads_grid:
        kinds = ("one vector an image", "a grid of features")
        raise InputError(
            f"{dataset.path}: has {kinds[dataset.has_grid]}, and the model reads "
            f"{kinds[model.reads_grid]}; prepare the dataset with `features` "
            f"{'grid' if model.reads_grid else 'pooled'}, into another folder"
        )
    if dataset.input_dim != model.input_dim:
        raise InputError(
            f"{dataset.path}: features of {dataset.input_dim} numbers, but the model reads "
            f"{model.input_dim}: another backbone; prepare the dataset with the model's"
        )


def caption_features(
    decoder: Decoder,
    word_to_idx: Mapping[str, int],
    features: np.ndarray,
    how: DecodingConfig = GREEDY,
    batch_size: int = 256,
) -> list[str]:
    """Generate captions as text.

    Args:
        decoder: of the model.
        word_to_idx: its vocabulary.
        features: (N, D) or (N, L, D).
        how: decoding options.
        batch_size: images per batch.

    Returns:
        One caption per image.
    """
    vocabulary = Vocabulary.from_mapping(word_to_idx)
    rng = how.new_rng()
    captions = []
    for first in range(0, len(features), batch_size):
        batch = np.asarray(features[first : first + batch_size])
        words, log_probs = decode(decoder, batch, how, word_to_idx, rng)
        if np.isneginf(log_probs[:, 0]).any():
            raise InputError(NO_CAPTION)
        captions += [vocabulary.decode(row) for row in words[:, 0]]
    return captions
