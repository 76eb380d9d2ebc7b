import numpy as np
import pytest

from limner.metrics import CaptionReward, DocumentFrequency, score

REFERENCES = [
    [["a", "red", "dog", "runs"], ["a", "dog", "on", "grass"]],
    [["two", "cats", "sit"], ["two", "grey", "cats"]],
    [["a", "man", "sits", "on", "a", "wall"]],
]
END = "</s>"


def ended(sentences):
    return [[*sentence, END] for sentence in sentences]


def test_without_bleu_it_is_cider_d_with_an_end():
    captions = [["a", "dog", "runs"], ["two", "cats"], ["a", "man"]]
    references = [ended(several) for several in REFERENCES]
    table = score(ended(captions), references, DocumentFrequency.of(references))
    found = CaptionReward(REFERENCES)(np.arange(3), captions)
    np.testing.assert_allclose(100 * found, table.per_image["CIDEr-D"])


def test_several_captions_of_an_image_do_not_mix():
    reward = CaptionReward(REFERENCES, bleu=1.0)
    captions = [["a", "dog"], ["two", "cats"], ["a", "red", "dog", "runs"], []]
    together = reward(np.array([0, 1, 0, 0]), captions)
    alone = [reward(np.array([i]), [c])[0] for i, c in zip([0, 1, 0, 0], captions, strict=True)]
    np.testing.assert_allclose(together, alone)
    assert together[2] == max(together)


def test_breaking_off_and_getting_short_cost():
    reward = CaptionReward(REFERENCES, bleu=1.0)
    whole, broken, short = (
        ["a", "man", "sits", "on", "a", "wall"],
        ["a", "man", "sits", "on", "a"],
        ["a", "man"],
    )
    one, two, three = reward(np.array([2, 2, 2]), [whole, broken, short])
    assert one > two > three


def test_smoothed_bleu_by_hand():
    # 4 of 4 words, (2 + 1) of (3 + 1) pairs, (1 + 1) of (2 + 1), (0 + 1) of (1 + 1)
    found = CaptionReward([[["a", "b", "c"]], [["d"]]], bleu=1.0)
    plain = CaptionReward([[["a", "b", "c"]], [["d"]]])
    caption, image = [["a", "b", "c"]], np.array([0])
    assert found(image, caption) - plain(image, caption) == pytest.approx(1.0)
    caption = [["b", "a", "c"]]  # b a c </s>: pairs c </s>; 1 of 3, 0 of 2, 0 of 1
    expected = (1 * (2 / 4) * (1 / 3) * (1 / 2)) ** 0.25
    assert found(image, caption) - plain(image, caption) == pytest.approx(expected)
