"""Captions: read back, every claim in them holds in the scene.

The lexicon below is this test's own: it does not come from the grammar.
"""

import re
from collections import Counter
from math import hypot

import numpy as np
import pytest

from limner.shapes.grammar import describe
from limner.shapes.scene import Figure, Group, Scene, compose

SAME_NAME = (
    "circle",
    "square",
    "triangle",
    "star",
    "heart",
    "ring",
    "moon",
    "arrow",
    "house",
    "tree",
)
KIND_OF = {kind: kind for kind in SAME_NAME} | {
    "disc": "circle",
    "hoop": "ring",
    "crescent": "moon",
    "cottage": "house",
    "crosses": "cross",
    "cross": "cross",
    "fish": "fish",
}
SIZE_OF = {"large": "large", "big": "large", "small": "small", "little": "small"}
NUMBER_OF = {"a": 1, "an": 1, "two": 2, "three": 3}
COLOUR = "red|yellow|green|blue|purple|black|white"
NOUN = "|".join(sorted(KIND_OF, key=len, reverse=True))
PHRASE = re.compile(
    rf"\b(?P<article>a|an|two|three|the) (?:(?P<size>large|big|small|little) )?"
    rf"(?P<colour>{COLOUR}) (?P<noun>{NOUN})(?P<plural>s?)\b"
)
BACKGROUND_OF = {
    "plain white": "white",
    "white paper": "white",
    "white page": "white",
    "plain grey": "grey",
    "grey paper": "grey",
    "grey page": "grey",
    "plain black": "black",
    "black background": "black",
    "darkness": "black",
    "fading": "faded",
    "fades": "faded",
    "striped": "striped",
    "stripes": "striped",
    "dotted": "dotted",
    "dots": "dotted",
    "graph paper": "grid",
    "tablecloth": "checked",
    "meadow": "meadow",
    "night": "night",
    "brick": "bricks",
    "bricks": "bricks",
}
RELATIONS = (
    "to the left of",
    "to the right of",
    "above",
    "over",
    "below",
    "under",
    "next to",
    "beside",
    "inside",
    "within",
    "around",
    "and",
)
FILLERS = """
a an the is are on in of with at there we can see this picture shows front that background page
wall paper sheet colours outdoors sky dark checked plain green white grey black under side by row
column one above other
"""


def middle(figure: Figure, tilt: float) -> tuple[float, float]:
    """Where the figure is once the camera has turned, as the eye sees it."""
    at = complex(figure.x - 0.5, figure.y - 0.5) * np.exp(1j * np.radians(tilt))
    return at.real + 0.5, at.imag + 0.5


def named(match: re.Match[str], scene: Scene) -> Group:
    """The group that a phrase speaks of; what it says of it is checked."""
    (group,) = [
        g for g in scene.groups if (g.kind, g.colour) == (KIND_OF[match["noun"]], match["colour"])
    ]
    count = len(group.figures)
    assert NUMBER_OF.get(match["article"], count) == count
    if match["noun"] not in ("fish", "crosses", "cross"):
        assert bool(match["plural"]) == (count > 1)
    if match["article"] in ("a", "an"):
        vowel = (match["size"] or match["colour"])[0] in "aeiou"
        assert match["article"] == ("an" if vowel else "a")
    if match["size"]:
        assert SIZE_OF[match["size"]] == group.size
    return group


def holds(relation: str, a: Group, b: Group, tilt: float) -> bool:
    """Whether every figure of `a` stands so to every figure of `b`, by their coordinates."""
    return all(_stands(relation, f, g, tilt) for f in a.figures for g in b.figures)


def _stands(relation: str, a: Figure, b: Figure, tilt: float) -> bool:
    (ax, ay), (bx, by) = middle(a, tilt), middle(b, tilt)
    reach, apart = a.radius + b.radius, hypot(ax - bx, ay - by)
    return {
        "above": by - ay > reach,
        "over": by - ay > reach,
        "below": ay - by > reach,
        "under": ay - by > reach,
        "to the left of": bx - ax > reach,
        "to the right of": ax - bx > reach,
        "next to": abs(ax - bx) > reach and abs(ay - by) < reach / 2,
        "beside": abs(ax - bx) > reach and abs(ay - by) < reach / 2,
        "inside": apart + a.radius < b.radius,
        "within": apart + a.radius < b.radius,
        "around": apart + b.radius < a.radius,
        "and": True,
    }[relation]


def check(caption: str, scene: Scene) -> None:
    """Fail unless everything that the caption says is understood and true."""
    matches = list(PHRASE.finditer(caption))
    groups = [named(match, scene) for match in matches]
    rest = PHRASE.sub("#", caption)
    assert 1 <= len(groups) <= 2
    if len(groups) == 2:
        relation = re.search(r"# (?:is |are )?(.+?) #", rest)
        assert relation is not None
        assert relation[1] in RELATIONS
        assert groups[0] is not groups[1]
        assert holds(relation[1], *groups, scene.tilt)
        rest = rest.replace(f"{relation[1]} #", "#")
    _check_layout(rest, groups[0], scene.tilt)
    for words, background in BACKGROUND_OF.items():
        if re.search(rf"\b{words}\b", rest):
            assert background == scene.background
            rest = rest.replace(words, "#")
    assert set(rest.replace("#", "").split()) <= set(FILLERS.split())


def _check_layout(rest: str, group: Group, tilt: float) -> None:
    xs, ys = zip(*(middle(figure, tilt) for figure in group.figures), strict=True)
    if "side by side" in rest or "in a row" in rest:
        assert np.ptp(xs) > 2 * np.ptp(ys)
    if "one above the other" in rest or "in a column" in rest:
        assert np.ptp(ys) > 2 * np.ptp(xs)


@pytest.fixture(scope="module")
def described() -> list[tuple[Scene, tuple[str, ...]]]:
    found = []
    for index in range(1000):
        rng = np.random.default_rng([11, index])
        scene = compose(rng)
        found.append((scene, describe(scene, rng)))
    return found


def test_every_caption_is_true(described: list[tuple[Scene, tuple[str, ...]]]) -> None:
    for scene, captions in described:
        for caption in captions:
            check(caption, scene)


@pytest.mark.parametrize(
    "caption",
    [
        "a red star below a blue circle",
        "a blue star above a red circle",
        "a red heart above a blue circle",
        "a small red star above a blue circle",
        "two red stars above a blue circle",
        "a red star next to a blue circle",
        "a red star above a blue circle on a brick wall",
        "a red star above a blue circle by the sea",
    ],
)
def test_the_check_above_notices_a_false_caption(caption: str) -> None:
    star = Group("star", "red", "large", "alone", (Figure(0.5, 0.25, 0.2, 0),))
    circle = Group("circle", "blue", "large", "alone", (Figure(0.5, 0.75, 0.2, 0),))
    scene = Scene("striped", (star, circle), "above", 0.0)
    check("a large red star above a blue circle on a striped background", scene)
    with pytest.raises((AssertionError, ValueError)):
        check(caption, scene)


def test_five_different_captions_of_five_to_fourteen_words(
    described: list[tuple[Scene, tuple[str, ...]]],
) -> None:
    for _, captions in described:
        assert len(captions) == len(set(captions)) == 5
        assert all(5 <= len(caption.split()) <= 14 for caption in captions)


def test_the_vocabulary_is_large_enough_and_every_word_is_used_often(
    described: list[tuple[Scene, tuple[str, ...]]],
) -> None:
    words = Counter(w for _, captions in described for c in captions for w in c.split())
    assert 80 <= len(words) <= 120
    assert all(re.fullmatch("[a-z]+", word) for word in words)
    assert min(words.values()) >= 5


def test_every_relation_is_put_into_words(
    described: list[tuple[Scene, tuple[str, ...]]],
) -> None:
    text = "\n".join(caption for _, captions in described for caption in captions)
    for relation in RELATIONS:
        assert text.count(f" {relation} ") > 20, relation


def test_most_captions_of_two_groups_name_both(
    described: list[tuple[Scene, tuple[str, ...]]],
) -> None:
    both = [
        len(PHRASE.findall(caption)) == 2
        for scene, captions in described
        if len(scene.groups) == 2
        for caption in captions
    ]
    assert np.mean(both) == 1
