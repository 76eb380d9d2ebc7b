"""Scores of a captioner, with baselines, confidence intervals and provenance.

the model              its captions
images shuffled        its captions, each assigned to another image: the remaining score is due to
                       frequent phrases
nearest neighbours     a caption of the most similar training images, without learning
a person               one reference of each image, scored against the others
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from typing import Any

import msgspec
import numpy as np

from limner.data.dataset import Dataset
from limner.decoding import DecodingConfig
from limner.evaluation.evaluate import Evaluation, evaluate, training_tokens
from limner.evaluation.nearest_neighbors import consensus_captions
from limner.metrics import (
    Diversity,
    DocumentFrequency,
    JavaScore,
    intervals,
    java_scores,
    measure_diversity,
)
from limner.metrics import score as score_tokens
from limner.metrics.bootstrap import Interval
from limner.metrics.ngrams import Tokens
from limner.models import CaptioningModel, Ensemble, WordModel
from limner.typing import Array

SCALE = "0-100 (CIDEr and CIDEr-D can be more)"
TOKENIZER = "Penn Treebank, as CoreNLP 3.4.1; punctuation dropped, as COCO does"

NO_SHAPE = ("kind", "forget_bias")
"""Options that do not identify a model: they show in its parameters."""

MODEL, SHUFFLED, NEAREST, HUMAN = "the model", "images shuffled", "nearest neighbours", "a person"


@dataclass(frozen=True)
class Row:
    """The results of the model or a baseline.

    Attributes:
        scores: of the set, from 0 to 100.
        intervals: 95 % bootstrap interval of each score.
        diversity: of the captions.
    """

    scores: dict[str, float]
    intervals: dict[str, Interval]
    diversity: Diversity


@dataclass(frozen=True)
class Assessment:
    """The evaluation of a model's captions of a split.

    Attributes:
        split: its name.
        evaluation: captions, references and scores by image.
        rows: by name, the model first, then the baselines.
        provenance: the model, and what must be equal in results to be compared.
        java: METEOR and SPICE of the model's captions, if requested and available.
        problems: why METEOR or SPICE is missing, one line each.
    """

    split: str
    evaluation: Evaluation
    rows: dict[str, Row]
    provenance: dict[str, str]
    java: dict[str, JavaScore] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def scores(self) -> dict[str, float]:
        """The scores of the model, from 0 to 100."""
        return self.rows[MODEL].scores

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {value:.1f}" for name, value in self.scores.items())
        return f"Assessment({self.title}: {scores})"

    @property
    def title(self) -> str:
        """The name of the split, with the number of images."""
        split = f"{self.split}, " if self.split else ""
        return f"{split}{len(self.evaluation.captions):,} images"

    def result(self) -> dict[str, Any]:
        """Scores of the set and the images, with captions, as `limner score --json` writes them."""
        columns = dict(self.evaluation.table.per_image)
        columns |= {name: one.per_image for name, one in self.java.items()}
        return {
            **asdict(self.rows[MODEL]),
            "per_image": {
                image: {name: float(values[i]) for name, values in columns.items()}
                for i, image in enumerate(self.evaluation.captions)
            },
            "captions": self.evaluation.captions,
            "provenance": self.provenance,
        }

    def as_dict(self) -> dict[str, Any]:
        """The same with the baselines, as `limner evaluate --json` writes them."""
        baselines = {name: asdict(row) for name, row in self.rows.items() if name != MODEL}
        return self.result() | {"split": self.split, "baselines": baselines}


def assess(
    model: WordModel,
    dataset: Dataset,
    split: str | None = None,
    how: DecodingConfig = DecodingConfig(),
    seed: int = 0,
    java: bool = False,
) -> Assessment:
    """Caption a split, and score the captions and the baselines.

    Args:
        model: see `limner.evaluation.evaluate.evaluate`.
        dataset: with raw references; those of the split `train` are used for CIDEr-D and for the
            share of captions that occur in training.
        split: its name; None takes the validation split, see `Dataset.split`.
        how: decoding options.
        seed: for the shuffling, the choice of the reference for "a person", and the bootstrap.
        java: whether to compute METEOR and SPICE, if available.

    Returns:
        The assessment.
    """
    name, _ = dataset.split(split)
    known = training_tokens(dataset)
    frequency = DocumentFrequency.of(known) if known else None
    seen = [caption for several in known for caption in several]
    evaluation = evaluate(model, dataset, name, how, frequency)
    candidates, references = evaluation.candidate_tokens, evaluation.reference_tokens
    rng = np.random.default_rng(seed)
    rows = {}

    def row(captions: Sequence[Tokens], targets: Sequence[Sequence[Tokens]]) -> Row:
        table = score_tokens(captions, targets, frequency)
        return Row(table.corpus, intervals(table, seed), measure_diversity(captions, seen))

    if len(candidates) > 1:
        rows[SHUFFLED] = row([candidates[i] for i in _elsewhere(len(candidates), rng)], references)
    if known:
        pooled = dataset.reading(grid=False).splits
        here, near = (_pooled(pooled[split].features) for split in (name, "train"))
        nearest = consensus_captions(here, near, known)
        rows[NEAREST] = row(nearest, references)
    several = [own for own in references if len(own) > 1]
    if several:
        chosen = [int(rng.integers(len(own))) for own in several]
        one = [own[i] for own, i in zip(several, chosen, strict=True)]
        others = [[*own[:i], *own[i + 1 :]] for own, i in zip(several, chosen, strict=True)]
        rows[HUMAN] = row(one, others)

    provenance = {
        "decoding": str(how),
        "model": fingerprint(model),
        "dataset": f"{dataset.fingerprint[:12]}, split {name}",
    }
    found = assess_captions(evaluation, provenance, seen, seed, java)
    return replace(found, split=name, rows=found.rows | rows)


def assess_captions(
    evaluation: Evaluation,
    provenance: Mapping[str, str],
    seen: Sequence[Tokens] = (),
    seed: int = 0,
    java: bool = False,
) -> Assessment:
    """Scores of captions without a model, with intervals and provenance.

    Args:
        evaluation: the captions and their scores.
        provenance: what the scores depend on besides the references.
        seen: tokenized captions of the training set.
        seed: for the bootstrap.
        java: whether to compute METEOR and SPICE, if available.

    Returns:
        The assessment, with one row.
    """
    captions, references = evaluation.candidate_tokens, evaluation.reference_tokens
    extra, problems = java_scores(captions, references, seed) if java else ({}, [])
    scores = evaluation.scores | {name: one.value for name, one in extra.items()}
    found = intervals(evaluation.table, seed) | {n: one.interval for n, one in extra.items()}
    row = Row(scores, found, measure_diversity(captions, seen))
    known = {**score_provenance(evaluation.references), **provenance}
    return Assessment("", evaluation, {MODEL: row}, known, extra, problems)


def score_provenance(references: Mapping[str, list[str]]) -> dict[str, str]:
    """The provenance of scores against these references.

    >>> score_provenance({"a.jpg": ["A dog.", "Dogs."]})["references"]
    '2 an image, 6ca286a7a6fe'
    """
    counts = sorted({len(several) for several in references.values()})
    each = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return {
        "scale": SCALE,
        "images": f"{len(references):,}",
        "references": f"{each} an image, {text_fingerprint(references)}",
        "tokenizer": TOKENIZER,
        "limner": version("limner"),
    }


def text_fingerprint(captions: Mapping[str, str] | Mapping[str, list[str]]) -> str:
    """A hash of captions, in twelve digits, independent of the order of the images."""
    return _short(json.dumps(captions, sort_keys=True, ensure_ascii=False).encode())


def fingerprint(model: WordModel) -> str:
    """A hash of a model in twelve digits; of each member of an ensemble."""
    if isinstance(model, Ensemble):
        return " with ".join(fingerprint(member) for member in model.members)
    assert isinstance(model, CaptioningModel)
    parts = [model.params[name].tobytes() for name in sorted(model.params)]
    parts += [model.feature_mean.tobytes(), model.feature_std.tobytes()]
    config = msgspec.to_builtins(model.config)
    shape = {"input_dim": model.input_dim} | {k: v for k, v in config.items() if k not in NO_SHAPE}
    words = sorted(model.word_to_idx.items())
    return _short(b"".join(parts) + json.dumps([shape, words]).encode())


def _elsewhere(N: int, rng: np.random.Generator) -> list[int]:
    """A random permutation without fixed points: a shift by one along a random cycle."""
    ring = rng.permutation(N)
    other = np.empty(N, dtype=int)
    other[ring] = np.roll(ring, 1)
    return other.tolist()


def _pooled(features: Array) -> Array:
    """Pooled features (N, D): the mean over regions, if there are any."""
    return features if features.ndim == 2 else features.mean(axis=1, dtype=np.float32)


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
