"""Does a captioner look at the image? Its scores beside those of who does not, and of people.

the model              its captions
images shuffled      its captions, each given to another image: what is left of a score is
                       what the most usual phrases are worth
nearest neighbours     the caption that similar training images agree on: no learning
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
"""Options of a model that its parameters show, or that were spent when it was made."""

MODEL, SHUFFLED, NEAREST, HUMAN = "the model", "images shuffled", "nearest neighbours", "a person"


@dataclass(frozen=True)
class Row:
    """One way to caption the images.

    Attributes:
        scores: of the set, from 0 to 100.
        intervals: the 95 % bootstrap interval of each.
        diversity: of its captions.
    """

    scores: dict[str, float]
    intervals: dict[str, Interval]
    diversity: Diversity


@dataclass(frozen=True)
class Assessment:
    """A model's captions of a split, with all that helps to judge them.

    Attributes:
        split: its name.
        evaluation: captions, references and scores by image.
        rows: by name: the model first, then what it is to be compared with.
        provenance: what must agree before two such results may be compared, and who made this one.
        java: METEOR and SPICE of the model's captions, where they were asked for and can be had.
        problems: why they cannot, a line each.
    """

    split: str
    evaluation: Evaluation
    rows: dict[str, Row]
    provenance: dict[str, str]
    java: dict[str, JavaScore] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def scores(self) -> dict[str, float]:
        """The model's scores, from 0 to 100."""
        return self.rows[MODEL].scores

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {value:.1f}" for name, value in self.scores.items())
        return f"Assessment({self.title}: {scores})"

    @property
    def title(self) -> str:
        """What was captioned."""
        split = f"{self.split}, " if self.split else ""
        return f"{split}{len(self.evaluation.captions):,} images"

    def result(self) -> dict[str, Any]:
        """Scores, by set and by image, with the captions: what `limner score --json` writes."""
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
        """The same with the baselines: what `limner evaluate --json` writes."""
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
    """Caption a split, score the captions, and put the baselines beside them.

    Args:
        model: see `limner.evaluation.evaluate.evaluate`.
        dataset: with raw references; those of the split `train` give CIDEr-D its document
            frequencies, and tell which captions were seen in training.
        split: None takes the validation split, see `Dataset.split`.
        how: the captions are chosen.
        seed: of the shuffling, of the reference that stands for a person, and of the bootstrap.
        java: whether to try METEOR and SPICE.
    """
    name, _ = dataset.split(split)
    known = training_tokens(dataset)
    frequency = DocumentFrequency.of(known) if known else None
    seen = [caption for several in known for caption in several]
    evaluation = evaluate(model, dataset, name, how, frequency)
    candidates, references = evaluation.candidate_tokens, evaluation.reference_tokens
    rng = np.random.default_rng(seed)
    rows = {}

    def row(captions: Sequence[Tokens], wanted: Sequence[Sequence[Tokens]]) -> Row:
        table = score_tokens(captions, wanted, frequency)
        return Row(table.corpus, intervals(table, seed), measure_diversity(captions, seen))

    if len(candidates) > 1:
        rows[SHUFFLED] = row([candidates[i] for i in _elsewhere(len(candidates), rng)], references)
    if known:
        pooled = dataset.reading(grid=False).splits
        here, near = (_pooled(pooled[split].features) for split in (name, "train"))
        nearest = consensus_captions(here, near, known)
        rows[NEAREST] = row(nearest, references)
    several = [wanted for wanted in references if len(wanted) > 1]
    if several:
        chosen = [int(rng.integers(len(wanted))) for wanted in several]
        one = [wanted[i] for wanted, i in zip(several, chosen, strict=True)]
        others = [[*w[:i], *w[i + 1 :]] for w, i in zip(several, chosen, strict=True)]
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
    """Captions whose model is not known, with intervals and provenance, without baselines.

    Args:
        evaluation: the captions and their scores.
        provenance: what the numbers depend on besides the references.
        seen: tokens of the training set's captions.
        seed: of the bootstrap.
        java: whether to try METEOR and SPICE.
    """
    captions, references = evaluation.candidate_tokens, evaluation.reference_tokens
    extra, problems = java_scores(captions, references, seed) if java else ({}, [])
    scores = evaluation.scores | {name: one.value for name, one in extra.items()}
    found = intervals(evaluation.table, seed) | {n: one.interval for n, one in extra.items()}
    row = Row(scores, found, measure_diversity(captions, seen))
    known = {**score_provenance(evaluation.references), **provenance}
    return Assessment("", evaluation, {MODEL: row}, known, extra, problems)


def score_provenance(references: Mapping[str, list[str]]) -> dict[str, str]:
    """What numbers from these references depend on, whoever wrote the captions.

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
    """Twelve digits that tell two sets of captions apart, whatever the order of the images."""
    return _short(json.dumps(captions, sort_keys=True, ensure_ascii=False).encode())


def fingerprint(model: WordModel) -> str:
    """Twelve digits that tell two models apart; of an ensemble, its members'."""
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
    """A random order in which nothing stays at its place: around a ring of all, one step on."""
    ring = rng.permutation(N)
    other = np.empty(N, dtype=int)
    other[ring] = np.roll(ring, 1)
    return other.tolist()


def _pooled(features: Array) -> Array:
    """(N, D): the mean over places, where there are any."""
    return features if features.ndim == 2 else features.mean(axis=1, dtype=np.float32)


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
