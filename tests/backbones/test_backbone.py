"""What tells backbones apart, and what files know of them."""

import msgspec
import pytest

from limner.backbones.info import BackboneInfo, same_backbone

FACTS = {"name": "net", "sha256": "a" * 64, "preprocessing": {"size": 224, "fit": "squash"}}


def info(**other):
    return BackboneInfo(**(FACTS | other))


def test_same_backbone_ignores_unknown_values():
    assert same_backbone(None, info())
    assert same_backbone(info(), BackboneInfo(name="other", sha256="a" * 64))
    assert same_backbone(info(), info(preprocessing={"size": 224, "channels": "BGR"}))


@pytest.mark.parametrize(
    "other",
    [{"sha256": "b" * 64},
     {"preprocessing": {"size": 288}},
     {"preprocessing": {"size": 224, "pooling": "max"}},  # facts without the key mean "mean"
     {"preprocessing": {"size": 224, "share": 0.875}}],
)  # fmt: skip
def test_another_backbone(other):
    assert not same_backbone(info(), info(**other))
    assert not same_backbone(info(**other), info())
    assert same_backbone(info(**other), info(**other))


def test_a_title_for_facts_that_lack_most():
    assert BackboneInfo(name="vgg16", sha256="f" * 64).title == "vgg16 (ffffffffffff)"


@pytest.mark.parametrize(
    "facts",
    [
        FACTS,
        {"name": "features.npy", "sha256": "0", "dim": 6},
        {**FACTS, "dim": 6, "places": 4, "grid_dim": 3, "features_sha256": "0"},
        {**FACTS, "pca": {"grid": {"dim": 2, "sha256": "1", "explained": 0.5}}},
        {**FACTS, "pca": {"grid": {"dim": 2, "sha256": "1"}}},
        {**FACTS, "preprocessing": {"mean": [1.0, 2.0, 3.0], "of a later version": [1]}},
    ],
)
def test_facts_are_written_as_they_were_read(facts):
    """Or fingerprints of datasets would be others."""
    assert msgspec.to_builtins(msgspec.convert(facts, BackboneInfo)) == facts


def test_keys_of_a_later_version_are_passed_over():
    assert msgspec.convert({**FACTS, "layers": 3}, BackboneInfo) == info()


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"name": "net"}, "sha256"),
        ({**FACTS, "dim": 10**18}, r"\$.dim"),
        ({**FACTS, "preprocessing": {"size": 0}}, r"preprocessing\.size"),
        ({**FACTS, "pca": {"features": {"sha256": "0"}}}, "dim"),
    ],
)
def test_facts_that_make_no_sense(facts, field):
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert(facts, BackboneInfo)
