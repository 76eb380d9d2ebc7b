"""From raw captions to scores, beside pycocoevalcap with its Java tokenizer."""

import shutil

import numpy as np
import pytest

from limner.captioner import Captioner
from limner.data.formats import read_captions
from limner.decoding import GREEDY
from limner.evaluation.evaluate import score

pytestmark = pytest.mark.java

HARD = {
    "punctuation": ("A dog, a cat; and a bird!", ["A dog - a cat: a bird.", "Dogs?! Cats..."]),
    "quotes": ('A sign says "stop" here', ["A ``stop'' sign", "the 'stop' sign’s “red”"]),
    "hyphens": ("A t-shirt -- blue-green", ["a T-shirt, blue - green", "a well-known man-"]),
    "contractions": (
        "They don't, can't, cannot",
        ["They cannot and don't", "it's he'd we're gonna"],
    ),
    "ellipses": ("Wait... what . . . now", ["wait … what", "wait.... what .. now"]),
    "numbers": ("2 dogs, 1,000 cats and 3.5 m", ["two dogs", "1/2 of 10:30 at 5pm, #1 50%"]),
    "currency": ("It costs $5 or €5", ["it costs £5", "5 dollars, US$ 20, ¥100, 5¢"]),
    "Unicode": ("Un café près du zoo", ["un cafe\u0301 naïve", "猫がいる и собака"]),
    "emoji": ("a dog 🐶 runs 👨‍👩‍👧", ["🐶 dog :)", "a dog ;-) <3"]),
    "empty candidate": ("", ["A dog.", "Two dogs."]),
    "only punctuation": (" . ", ["A dog.", "..."]),
    "one reference": ("a man on a horse", ["A man rides a horse ."]),
    "twenty references": ("a man on a horse", [f"A man rides {n} horses." for n in range(20)]),
    "equal to a reference": ("A man rides .", ["A man rides .", "people"]),
    "brackets and slashes": ("a man (left) and/or [a] {dog}", ["his/her (dog)", "<b>dog</b>"]),
    "no-break spaces": ("a dog 5 1/2 feet long", ["5 1/2 feet", "call (555) 123-4567\u00a0now"]),
    "case": ("A MAN in an iPhone ad, IT'S", ["it's a man", "McDonald's AT&T U.S. Mr. Smith's"]),
}


@pytest.fixture(scope="module")
def coco():
    """pycocoevalcap from raw captions: {name: (of the set, of the images)}."""
    if not shutil.which("java"):
        pytest.skip("no Java here")
    tokenizer = pytest.importorskip("pycocoevalcap.tokenizer.ptbtokenizer").PTBTokenizer()
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    def scores(said, wanted):
        gts = tokenizer.tokenize({i: [{"caption": c} for c in r] for i, r in wanted.items()})
        res = tokenizer.tokenize({i: [{"caption": caption}] for i, caption in said.items()})
        corpus, per_image = Bleu(4).compute_score(gts, res, verbose=0)
        found = {f"BLEU-{n + 1}": (corpus[n], per_image[n]) for n in range(4)}
        found["ROUGE-L"] = Rouge().compute_score(gts, res)
        found["CIDEr"] = Cider().compute_score(gts, res)
        return found

    return scores


def assert_agreement(coco, said, wanted):
    ours = score(said, wanted)
    for name, (corpus, per_image) in coco(said, wanted).items():
        assert ours.scores[name] == pytest.approx(100 * corpus, abs=1e-6), name
        np.testing.assert_allclose(ours.table.per_image[name], 100 * np.array(per_image), atol=1e-6)


def test_hard_cases(coco):
    said = {name: caption for name, (caption, _) in HARD.items()}
    assert_agreement(coco, said, {name: references for name, (_, references) in HARD.items()})


def test_1000_photographs_with_machine_captions(coco, flickr8k):
    captions = read_captions(flickr8k / "Flickr8k.token.txt").captions
    images = (flickr8k / "Flickr_8k.devImages.txt").read_text().split()
    paths = [flickr8k / "images" / image for image in images]
    found = Captioner.load().caption_all(paths, GREEDY)
    said = {path.name: caption.text for path, caption in found}
    assert len(set(said.values())) > 300
    assert_agreement(coco, said, {image: captions[image] for image in images})


def test_5000_synthetic_images(coco, rng):
    parts = np.array(
        ["a", "A", "dog", "dogs'", "don't", "cannot", "red,", "t-shirt", "3", "(", ")"]
    )
    parts = np.append(
        parts, ["on", "grass.", "!", '"now"', "U.S.", "1,000", "it's", "...", "and/or"]
    )

    def sentence(shortest=1):
        return " ".join(parts[rng.integers(len(parts), size=rng.integers(shortest, 14))])

    wanted = {i: [sentence() for _ in range(rng.integers(1, 7))] for i in range(5000)}
    said = {i: several[0] if i % 7 == 0 else sentence(0) for i, several in wanted.items()}
    assert_agreement(coco, said, wanted)
