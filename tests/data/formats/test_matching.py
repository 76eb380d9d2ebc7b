import time

import pytest

from limner.data.formats.matching import match_names

IMAGES = [
    "a.jpg",
    "A.jpg",
    "cats/1.jpg",
    "dogs/1.jpg",
    "dogs/rex/2.JPEG",
    "cafe\u0301.png",
    "v1.2 final.jpg",
    "x/COCO_val2014_000000000042.jpg",
]


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("a.jpg", "a.jpg"),
        ("A.jpg", "A.jpg"),
        ("caf\u00e9.png", "cafe\u0301.png"),
        ("CAF\u00c9.PNG", "cafe\u0301.png"),
        ("photos/cats/1.jpg", "cats/1.jpg"),
        (r"C:\photos\dogs\1.jpg", "dogs/1.jpg"),
        ("2.jpeg", "dogs/rex/2.JPEG"),
        ("rex/2", "dogs/rex/2.JPEG"),
        ("elsewhere/2.jpeg", "dogs/rex/2.JPEG"),
        ("v1.2 final", "v1.2 final.jpg"),
        ("42", "x/COCO_val2014_000000000042.jpg"),
        ("a.png", None),
        ("3.jpg", None),
        ("", None),
        ("../", None),
        ("9" * 5000, None),
    ],
)
def test_one_name(name, image):
    assert match_names([name], IMAGES).found == ({name: image} if image else {})


@pytest.mark.parametrize("name", ["1.jpg", "1", "birds/1.jpg"])
def test_a_name_that_could_be_two(name):
    match = match_names([name], IMAGES)
    assert match.found == {}
    assert match.unsure == {name: ["cats/1.jpg", "dogs/1.jpg"]}


def test_a_name_in_another_folder_does_not_take_an_image_that_is_somebody_s():
    """cats/1.jpg is missing: dogs/1.jpg is not its image."""
    match = match_names(["cats/1.jpg", "dogs/1.jpg"], ["dogs/1.jpg"])
    assert match.found == {"dogs/1.jpg": "dogs/1.jpg"}
    assert match_names(["cats/1.jpg", "birds/1.jpg"], ["dogs/1.jpg"]).found == {}


def test_a_hundred_thousand_names_take_seconds():
    images = [f"{number % 100}/{number:09}.jpg" for number in range(100_000)]
    names = [f"{number:09}.JPG" for number in range(100_000)]
    start = time.perf_counter()
    match = match_names(names, images)
    assert time.perf_counter() - start < 20
    assert len(match.found) == 100_000
