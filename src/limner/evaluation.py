"""Caption a split, and score the captions against the raw references."""

from dataclasses import dataclass

import numpy as np

from limner.data.dataset import Dataset
from limner.errors import InputError
from limner.metrics import score as score_tokens
from limner.metrics import tokenize
from limner.model import CaptioningRNN
from limner.vocabulary import Vocabulary


@dataclass(frozen=True)
class Evaluation:
    """Captions of a split, and their scores.

    Attributes:
        split: its name.
        captions: {image id: caption}.
        references: {image id: raw captions}.
        scores: {"BLEU-1": ..., ..., "BLEU-4": ...}, from 0 to 100.
    """

    split: str
    captions: dict[str, str]
    references: dict[str, list[str]]
    scores: dict[str, float]


def evaluate(model: CaptioningRNN, dataset: Dataset, split: str | None = None) -> Evaluation:
    """Caption every picture of a split by greedy decoding, and score it.

    Args:
        model: its `input_dim` must be the dataset's.
        dataset: with raw references.
        split: None takes the validation split, see `Dataset.split`.

    Raises:
        InputError: if the features do not fit the model, or there are no references.
    """
    name, part = dataset.split(split)
    if name not in dataset.references:
        raise InputError(
            f"{dataset.path}: no references.json, and scores are computed from raw references "
            "alone; the course's own files do not hold them"
        )
    if part.features.shape[1] != model.config["input_dim"]:
        raise InputError(
            f"{dataset.path}: features of {part.features.shape[1]} numbers, but the model reads "
            f"{model.config['input_dim']}: another backbone; prepare the dataset with the model's"
        )
    captions = dict(zip(part.image_ids, caption_features(model, part.features), strict=True))
    references = dataset.references[name]
    return Evaluation(name, captions, references, score(captions, references))


def caption_features(
    model: CaptioningRNN, features: np.ndarray, batch_size: int = 256
) -> list[str]:
    """Captions in plain words of the pictures with these features (N, D)."""
    vocabulary = Vocabulary.from_mapping(model.word_to_idx)
    captions = []
    for first in range(0, len(features), batch_size):
        words, _ = model.caption(np.asarray(features[first : first + batch_size]))
        captions += [vocabulary.decode(row) for row in words]
    return captions


def score(captions: dict[str, str], references: dict[str, list[str]]) -> dict[str, float]:
    """BLEU-1 to 4 of captions against raw references with the same ids, from 0 to 100.

    >>> round(score({"a.jpg": "a red dog"}, {"a.jpg": ["A red dog.", "A dog."]})["BLEU-2"], 1)
    100.0
    """
    return score_tokens(
        [tokenize(caption) for caption in captions.values()],
        [[tokenize(reference) for reference in references[image]] for image in captions],
    ).corpus
