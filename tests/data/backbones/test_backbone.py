"""What tells backbones apart, and what is said of them."""

import pytest

from limner.data.backbones.backbone import backbone_title, same_backbone

FACTS = {"name": "net", "sha256": "a" * 64, "preprocessing": {"size": 224, "fit": "squash"}}


def test_what_is_not_known_is_taken_to_be_the_same():
    assert same_backbone(None, FACTS)
    assert same_backbone(FACTS, {"name": "other", "sha256": "a" * 64})
    assert same_backbone(FACTS, {**FACTS, "preprocessing": {"size": 224, "channels": "BGR"}})


@pytest.mark.parametrize(
    "other",
    [{"sha256": "b" * 64},
     {"preprocessing": {"size": 288}},
     {"preprocessing": {"size": 224, "pooling": "max"}},  # facts without the key mean "mean"
     {"preprocessing": {"size": 224, "share": 0.875}}],
)  # fmt: skip
def test_another_backbone(other):
    assert not same_backbone(FACTS, {**FACTS, **other})
    assert not same_backbone({**FACTS, **other}, FACTS)
    assert same_backbone({**FACTS, **other}, {**FACTS, **other})


def test_a_title_for_facts_that_lack_most():
    assert backbone_title({"name": "vgg16", "sha256": "f" * 64}) == "vgg16 (ffffffffffff)"
