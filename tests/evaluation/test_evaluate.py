from dataclasses import replace

import numpy as np
import pytest

from limner.data.opening import open_dataset
from limner.errors import InputError
from limner.evaluation.evaluate import caption_features, evaluate, score
from limner.models import CaptioningRNN


@pytest.fixture
def data(tiny_dataset):
    return open_dataset(tiny_dataset)


def new_model(data, input_dim=1280):
    rng = np.random.default_rng(0)
    return CaptioningRNN(data.vocabulary.word_to_idx, input_dim, 8, 8, "lstm", rng=rng)


def test_every_image_is_captioned_and_scored_against_raw_references(data):
    result = evaluate(new_model(data), data, "train")
    assert list(result.captions) == list(data.splits["train"].image_ids)
    assert result.references == data.references["train"]
    assert result.scores == score(result.captions, result.references).scores


def test_perfect_captions_score_100(data):
    references = data.references["train"]
    scores = score({image: texts[0] for image, texts in references.items()}, references).scores
    assert all(scores[name] == pytest.approx(100, abs=1e-4) for name in scores if name != "CIDEr")


def test_batches_change_nothing(data):
    model, features = new_model(data), data.splits["train"].features
    whole = caption_features(model, model.word_to_idx, features)
    assert caption_features(model, model.word_to_idx, features, batch_size=3) == whole


def test_features_that_do_not_fit(data):
    with pytest.raises(InputError, match="features of 1280 numbers, but the model reads 7"):
        evaluate(new_model(data, 7), data)


def test_without_raw_references(data):
    with pytest.raises(InputError, match=r"no references\.json"):
        evaluate(new_model(data), replace(data, references={}))


def test_unknown_split(data):
    with pytest.raises(InputError, match="no split holiday; it has train"):
        evaluate(new_model(data), data, "holiday")
