import pytest

from limner.captioner import BUNDLED_CAPTIONER
from limner.cli.describe import describe
from limner.errors import InputError


def test_describe_installation():
    facts = describe()
    assert facts["backbone"].startswith("efficientnet_lite0, 1280 features")
    assert facts["captioner vocabulary"].endswith(" words")


def test_describe_checkpoint():
    facts = describe(BUNDLED_CAPTIONER)
    assert facts["model"].startswith("LSTM with attention, 6,")
    [scores] = [text for name, text in facts.items() if name.startswith("scores on dev, beam")]
    assert "BLEU-4 " in scores


def test_describe_dataset(tiny_dataset):
    facts = describe(tiny_dataset)
    assert facts["train"].startswith("20 images, 100 captions, 90 % of 6 to 13 words; ")
    assert facts["features"] == "1280 per image from efficientnet_lite0, images of 224 x 224"


def test_describe_run(tiny_run):
    assert "hidden 8" in describe(tiny_run)["model"]


def test_describe_refuses_other_folders(tmp_path):
    with pytest.raises(InputError, match="neither a dataset nor a run"):
        describe(tmp_path)
