import pytest

from limner.captioner import BUNDLED_CAPTIONER
from limner.cli.describe import describe
from limner.errors import InputError


def test_limner_itself():
    facts = describe()
    assert facts["backbone"].startswith("efficientnet_lite0, 1280 features")
    assert facts["captioner vocabulary"].endswith(" words")


def test_a_checkpoint():
    facts = describe(BUNDLED_CAPTIONER)
    assert facts["model"].startswith("LSTM with attention, 6,")
    [scores] = [text for name, text in facts.items() if name.startswith("scores on dev, beam")]
    assert "BLEU-4 " in scores


def test_a_dataset(tiny_dataset):
    facts = describe(tiny_dataset)
    assert facts["train"].startswith("20 pictures, 100 captions of 6 to 13 words, mostly; ")
    assert facts["features"] == "1280 numbers from efficientnet_lite0, pictures of 224 x 224"


def test_a_run(tiny_run):
    assert "hidden 8" in describe(tiny_run)["model"]


def test_neither(tmp_path):
    with pytest.raises(InputError, match="neither a dataset nor a run"):
        describe(tmp_path)
