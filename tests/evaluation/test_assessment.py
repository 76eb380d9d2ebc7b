import json

import pytest

from limner.captioner import checkpoint_path
from limner.checkpoint import load_checkpoint
from limner.data.opening import open_dataset
from limner.decoding import GREEDY, DecodingConfig
from limner.evaluation.assessment import (
    HUMAN,
    MODEL,
    NEAREST,
    SHUFFLED,
    _elsewhere,
    assess,
    fingerprint,
    score_provenance,
)
from limner.evaluation.evaluate import evaluate


@pytest.fixture(scope="module")
def model(tiny_run):
    return load_checkpoint(checkpoint_path(tiny_run)).model


@pytest.fixture(scope="module")
def assessment(model, tiny_dataset):
    return assess(model, open_dataset(tiny_dataset))


def test_the_model_is_scored_as_evaluate_scores_it(assessment, model, tiny_dataset):
    scores = evaluate(model, open_dataset(tiny_dataset), how=DecodingConfig()).scores
    assert scores.items() <= assessment.rows[MODEL].scores.items()
    assert "CIDEr-D" in assessment.rows[MODEL].scores
    assert list(assessment.rows) == [MODEL, SHUFFLED, NEAREST, HUMAN]


def test_every_score_has_an_interval_and_every_row_its_diversity(assessment):
    for row in assessment.rows.values():
        assert row.intervals.keys() == row.scores.keys()
        assert row.diversity.seen is not None
    assert assessment.rows[NEAREST].diversity.seen == 100


def test_beams_are_described(model, tiny_dataset):
    result = assess(model, open_dataset(tiny_dataset), "train", how=GREEDY.changed(beam_size=3))
    assert result.split == "train"
    assert result.provenance["decoding"] == "beam search, 3 beams"


def test_as_dict_is_json(assessment):
    result = json.loads(json.dumps(assessment.as_dict()))
    images = list(assessment.evaluation.captions)
    assert list(result["per_image"]) == images
    assert result["per_image"][images[0]].keys() == result["scores"].keys()
    assert set(result["baselines"]) == {SHUFFLED, NEAREST, HUMAN}
    assert set(result["provenance"]) >= {"scale", "tokenizer", "decoding", "model", "dataset"}


@pytest.mark.parametrize("count", [2, 3, 10])
def test_nothing_stays_at_its_place(rng, count):
    other = _elsewhere(count, rng)
    assert sorted(other) == list(range(count))
    assert all(i != j for i, j in enumerate(other))


def test_fingerprints_differ(model, tiny_run):
    same = load_checkpoint(checkpoint_path(tiny_run)).model
    assert fingerprint(same) == fingerprint(model)
    same.params["b"] = same.params["b"] + 1
    assert fingerprint(same) != fingerprint(model)
    one, two = ({"a": ["x"] * n, "b": ["y"]} for n in (1, 3))
    assert score_provenance(one)["references"].startswith("1 an image, ")
    assert score_provenance(two)["references"].startswith("1 to 3 an image, ")
