"""Generate captions that are correct for a scene.

A caption is a plan with slots; the scene determines the values of a slot, and a random synonym
is chosen. `{first}` is "a small red star", `{the_first}` is "the red star".
"""

from itertools import cycle
from typing import TypeVar

import numpy as np

from limner.shapes.scene import Group, Scene

Choice = TypeVar("Choice")

CAPTIONS = 5
WORDS = (5, 14)  # minimum and maximum words of a caption
SIZE_SHARE = 0.5  # of the mentions of a figure that include its size
SIDE_SHARE = 0.25  # of the mentions of neighbours that tell left from right

# Singular and plural; the first pair is chosen more often than the others.
NOUNS: dict[str, tuple[tuple[str, str], ...]] = {
    "circle": (("circle", "circles"), ("disc", "discs")),
    "square": (("square", "squares"),),
    "triangle": (("triangle", "triangles"),),
    "star": (("star", "stars"),),
    "heart": (("heart", "hearts"),),
    "ring": (("ring", "rings"), ("hoop", "hoops")),
    "cross": (("cross", "crosses"),),
    "moon": (("moon", "moons"), ("crescent", "crescents")),
    "arrow": (("arrow", "arrows"),),
    "house": (("house", "houses"), ("cottage", "cottages")),
    "tree": (("tree", "trees"),),
    "fish": (("fish", "fish"),),
}
FIRST_NOUN_SHARE = 0.75
SIZES = {"large": ("large", "big"), "small": ("small", "little")}
NUMBERS = {2: "two", 3: "three"}
LAYOUTS = {"row": ("in a row", "side by side"), "column": ("one above the other", "in a column")}
RELATIONS = {
    "above": ("above", "above", "over"),
    "below": ("below", "below", "under"),
    "left": ("to the left of",),
    "right": ("to the right of",),
    "beside": ("next to", "beside"),
    "inside": ("inside", "inside", "within"),
    "around": ("around",),
}
INVERSES = {
    "above": "below",
    "below": "above",
    "left": "right",
    "right": "left",
    "inside": "around",
}
# Location of a figure, and the background as a noun phrase.
GROUNDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "white": (("on a plain white background", "on white paper"), ("a white page",)),
    "grey": (("on a plain grey background", "on grey paper"), ("a grey page",)),
    "black": (("on a plain black background", "in front of darkness"), ("a black background",)),
    "faded": (("on a background that fades", "on fading colours"), ("a fading background",)),
    "striped": (("on a striped background", "in front of stripes"), ("a striped wall",)),
    "dotted": (("on a dotted background", "in front of dots"), ("a dotted wall",)),
    "grid": (("on graph paper", "on a sheet of graph paper"), ("a sheet of graph paper",)),
    "checked": (("on a checked tablecloth", "on a tablecloth"), ("a checked tablecloth",)),
    "meadow": (("in a meadow", "outdoors in a green meadow"), ("a meadow under the sky",)),
    "night": (("in the night sky", "outdoors at night"), ("a dark night sky",)),
    "bricks": (("on a brick wall", "in front of bricks"), ("a brick wall",)),
}

LEADS = ("there is", "we can see", "this is a picture of", "a picture of", "the picture shows")
PLANS_FOR_ONE = (
    "{first} {ground}",
    "{lead} {first}",
    "{lead} {first} {ground}",
    "{setting} with {first}",
    "{the_first} {is} {ground}",
)
PLANS_FOR_A_LINE = (
    "{first} {layout}",
    "{first} {layout} {ground}",
    "{lead} {first} {layout}",
    "{setting} with {first}",
    "{the_first} {is} {layout}",
)
PLANS_FOR_TWO = (
    "{first} {relation} {second}",
    "{first} {relation} {second} {ground}",
    "{lead} {first} {relation} {second}",
    "{second} {inverse} {first}",
    "{first} and {second} {ground}",
    "{setting} with {first} {relation} {second}",
    "{the_first} {is} {relation} {the_second}",
)


def describe(scene: Scene, rng: np.random.Generator) -> tuple[str, ...]:
    """Generate five different captions, from different plans if there are enough.

    Args:
        scene: the scene.
        rng: chooses plans and synonyms.

    >>> from limner.shapes.scene import compose
    >>> len(set(describe(compose(np.random.default_rng(5)), np.random.default_rng(6))))
    5
    """
    alone = len(scene.groups[0].figures) == 1
    plans: tuple[str, ...] = PLANS_FOR_ONE if alone else PLANS_FOR_A_LINE
    if len(scene.groups) > 1:
        plans = PLANS_FOR_TWO
    sentences: dict[str, None] = {}
    for plan in cycle(rng.permutation(plans)):
        sentence = str(plan).format(**_slots(scene, rng))
        if WORDS[0] <= len(sentence.split()) <= WORDS[1]:
            sentences[sentence] = None
        if len(sentences) == CAPTIONS:
            break
    return tuple(sentences)


def _slots(scene: Scene, rng: np.random.Generator) -> dict[str, str]:
    """Sample a value for each slot."""
    first = scene.groups[0]
    where, what = GROUNDS[scene.background]
    slots = {
        "first": _phrase(first, rng),
        "the_first": f"the {_noun(first, rng)}",
        "is": "is" if len(first.figures) == 1 else "are",
        "lead": _one_of(LEADS, rng),
        "ground": _one_of(where, rng),
        "setting": _one_of(what, rng),
    }
    if slots["lead"] == "there is" and len(first.figures) > 1:
        slots["lead"] = "there are"
    if first.layout in LAYOUTS:
        slots["layout"] = _one_of(LAYOUTS[first.layout], rng)
    if scene.relation is not None:
        slots |= {
            "second": _phrase(scene.groups[1], rng),
            "the_second": f"the {_noun(scene.groups[1], rng)}",
            "relation": _relation(scene.relation, rng),
            "inverse": _relation(INVERSES[scene.relation], rng),
        }
    return slots


def _phrase(group: Group, rng: np.random.Generator) -> str:
    """The first mention of a group: "two blue fish", "a small red star"."""
    words = _noun(group, rng)
    if len(group.figures) > 1:
        return f"{NUMBERS[len(group.figures)]} {words}"
    if group.size is not None and rng.random() < SIZE_SHARE:
        words = f"{_one_of(SIZES[group.size], rng)} {words}"
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _noun(group: Group, rng: np.random.Generator) -> str:
    """Colour and kind: "red star"."""
    usual, *others = NOUNS[group.kind]
    noun = _one_of(tuple(others), rng) if others and rng.random() > FIRST_NOUN_SHARE else usual
    return f"{group.colour} {noun[len(group.figures) > 1]}"


def _relation(relation: str, rng: np.random.Generator) -> str:
    if relation in ("left", "right") and rng.random() > SIDE_SHARE:
        relation = "beside"
    return _one_of(RELATIONS[relation], rng)


def _one_of(choices: tuple[Choice, ...], rng: np.random.Generator) -> Choice:
    return choices[int(rng.integers(len(choices)))]
