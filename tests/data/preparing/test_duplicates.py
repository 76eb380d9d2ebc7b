from limner.data.preparing.duplicates import NAMED, describe_same, find_same, leaks, named, repeats

IMAGES = [
    ("train", "a", "1"),
    ("train", "b", "2"),
    ("train", "c", "1"),
    ("dev", "d", "2"),
    ("dev", "e", "3"),
]


def test_across_splits_and_within_one():
    same = find_same(IMAGES)
    assert leaks(same) == [{"train": ["b"], "dev": ["d"]}]
    assert repeats(same) == [["a", "c"]]
    across, within = describe_same(same)
    assert across.endswith(": 1: b (train) = d (dev)")
    assert within == "the same image twice in a split: 1: a = c"


def test_no_duplicates_no_lines():
    assert describe_same(find_same(IMAGES[-1:])) == []
    assert named("gone", []) == []


def test_thousands_are_one_line():
    [line] = named("gone", [f"{number}.jpg" for number in range(5000)])
    assert line.startswith("gone: 5,000: 0.jpg, 1.jpg")
    assert line.endswith(f"{NAMED - 1}.jpg, and 4,990 more")
