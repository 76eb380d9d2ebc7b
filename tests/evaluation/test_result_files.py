import pytest

from limner.errors import InputError
from limner.evaluation.result_files import read_candidates, read_references


@pytest.fixture
def write(tmp_path):
    def write(content, name="captions.json"):
        path = tmp_path / name
        path.write_text(content, "utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("content", "captions"),
    [
        ('[{"image_id": 7, "caption": "a dog"}]', {"7": "a dog"}),
        ('[{"image_id": "7", "caption": ""}]', {"7": ""}),
        ('{"image": "./a.jpg", "caption": "a dog", "score": -0.5}', {"a.jpg": "a dog"}),
        ('{"7": "a dog", "8": "a cat"}', {"7": "a dog", "8": "a cat"}),
        ('{"7": ["a dog"]}', {"7": "a dog"}),
        ('{"id": 1, "caption": "a"}\n\n{"id": 2, "caption": "b"}\n', {"1": "a", "2": "b"}),
        ("image,caption\na.jpg,\nb.jpg,a cat\n", {"a.jpg": "", "b.jpg": "a cat"}),
        ("id\tcaption\n1\ta dog\n", {"1": "a dog"}),
        ("a.jpg#0\tA dog .", {"a.jpg": "A dog ."}),
    ],
)
def test_candidates(write, content, captions):
    assert read_candidates(write(content)) == captions


def test_references_in_coco_s_annotations(write):
    content = """{"info": {}, "images": [{"id": 1}], "annotations": [
        {"id": 5, "image_id": 1, "caption": "A dog."}, {"id": 6, "image_id": 1, "caption": "Dog"}]}
    """
    assert read_references(write(content)) == {"1": ["A dog.", "Dog"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("[" * 100_000, "lists within lists"),
        ("[]", "not a single caption in it"),
        ("{}", "not a single caption in it"),
        ('[{"image_id": 1, "caption": "a"}', "not JSON .*is it cut short"),
        ('{"id": 1, "caption": "a"}\n{"id": 2, "ca', "line 2: not JSON .*is it cut short"),
        ('[{"image_id": 1, "text": "a"}]', "expected objects with image, image_id, id and capt"),
        ("[1, 2]", "expected objects with .* got 1"),
        ('[{"image_id": 1.5, "caption": "a"}]', "expected a name or a number .* got 1.5"),
        ('[{"image_id": true, "caption": "a"}]', "expected a name or a number .* got true"),
        ('{"1": 5}', "expected captions of 1 as text, got 5"),
        ('{"1": ["a", null]}', "expected captions of 1 as text"),
        ('[{"image_id": 1, "caption": null}]', "expected captions of 1 as text, got null"),
        ("thing,text\n1,a\n", "no column image and no column caption"),
        ("image,caption\nb.jpg,a\na.jpg,a dog, a cat\n", "line 3: 3 columns, expected 2"),
    ],
)
def test_files_that_are_none(write, content, message):
    path = write(content)
    with pytest.raises(InputError, match=message) as error:
        read_references(path)
    assert str(error.value).startswith(str(path))


def test_two_captions_where_one_is_expected(write):
    path = write('{"1": ["a", "b"]}')
    with pytest.raises(InputError, match="2 captions of 1, expected one; is it the references"):
        read_candidates(path)


def test_a_folder(tmp_path):
    with pytest.raises(InputError, match="a folder, expected a file"):
        read_candidates(tmp_path)


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_candidates(tmp_path / "nothing.json")
