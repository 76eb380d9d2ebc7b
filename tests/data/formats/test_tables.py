import re

import pytest

from limner.data.formats import read_captions, read_split_files
from limner.errors import InputError


@pytest.fixture
def write(tmp_path):
    """Writes a file of captions and gives its path."""

    def write(content, name="captions.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


ONE = {"a.jpg": ["A dog ."], "b.jpg": ["Two, cats"]}

KINDS = {
    "token lines": ("a.jpg#0\tA dog .\nb.jpg#0\tTwo, cats\n", ONE),
    "token lines, two of one image": (
        "a.jpg#0\tA dog .\nb.jpg#0\tTwo, cats\na.jpg#1\tRed #2\n",
        {"a.jpg": ["A dog .", "Red #2"], "b.jpg": ["Two, cats"]},
    ),
    "token lines, # and space in a name": (
        "my #1 cat.jpg#0\tA cat\n",
        {"my #1 cat.jpg": ["A cat"]},
    ),
    "CSV": ('image,caption\na.jpg,A dog .\nb.jpg,"Two, cats"\n', ONE),
    "TSV": ("image\tcaption\na.jpg\tA dog .\nb.jpg\tTwo, cats\n", ONE),
    "no line end after the last row": ('image,caption\na.jpg,A dog .\nb.jpg,"Two, cats"', ONE),
    "other columns, another order, capitals": (
        'id,Caption , IMAGE,by\n7,A dog .,a.jpg,Ann\n8,"Two, cats",b.jpg,\n',
        ONE,
    ),
    "empty columns at the end of a row": (
        'image,caption\na.jpg,A dog .,\nb.jpg,"Two, cats",,\n',
        ONE,
    ),
    "byte order mark": (b'\xef\xbb\xbfimage,caption\na.jpg,A dog .\nb.jpg,"Two, cats"\n', ONE),
    "byte order mark, token lines": (
        b"\xef\xbb\xbfa.jpg#0\tA dog .\nb.jpg#0\tTwo, cats\n",
        ONE,
    ),
    "Windows line ends": ('image,caption\r\na.jpg,A dog .\r\nb.jpg,"Two, cats"\r\n', ONE),
    "old Mac line ends": ('image,caption\ra.jpg,A dog .\rb.jpg,"Two, cats"\r', ONE),
    "token lines, Windows line ends": ("a.jpg#0\tA dog .\r\nb.jpg#0\tTwo, cats\r\n", ONE),
    "quotes inside quotes": (
        'image,caption\na.jpg,"A ""red"" dog"\n',
        {"a.jpg": ['A "red" dog']},
    ),
    "a caption over two lines": (
        'image,caption\na.jpg,"A dog,\nand  a cat"\nb.jpg,"A\r\nbird"\n',
        {"a.jpg": ["A dog, and a cat"], "b.jpg": ["A bird"]},
    ),
    "spaces and # in a name, Unicode": (
        "image,caption\n my #1 été.jpg , Ein Hund läuft 🐕 \n写真.png,猫\n",
        {"my #1 été.jpg": ["Ein Hund läuft 🐕"], "写真.png": ["猫"]},
    ),
    "characters that only Python takes for line ends": (
        "image,caption\na.jpg,one\u2028two\x85three\x0cfour\n",
        {"a.jpg": ["one two three four"]},
    ),
    "a folder in the name": ("image,caption\nsub/a.jpg,A dog\n", {"sub/a.jpg": ["A dog"]}),
    "the same row twice counts twice": (
        "image,caption\na.jpg,A dog\na.jpg,A dog\n",
        {"a.jpg": ["A dog", "A dog"]},
    ),
    "blank lines": ("image,caption\n\na.jpg,A dog\n  \n\n", {"a.jpg": ["A dog"]}),
    "blank token lines": ("a.jpg#0\tA dog\n\n \nb.jpg#0\tA cat\n",
        {"a.jpg": ["A dog"], "b.jpg": ["A cat"]}),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_captions(write, kind):
    content, captions = KINDS[kind]
    found = read_captions(write(content))
    assert found.captions == captions
    assert list(found.captions) == list(captions)  # the file's order
    assert found.problems == []


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ("image,caption\na.jpg,A dog\nb.jpg,  \n", ["line 3: a blank caption for b.jpg"]),
        ("image,caption\na.jpg,A dog\n,A cat\n", ["line 3: no image name"]),
        ("image,caption\na.jpg\na.jpg,A dog\n", ["line 2: 1 columns, expected 2"]),
        ("image,caption\na.jpg,A dog\nb.jpg,A cat, asleep\n", ["line 3: 3 columns, expected 2"]),
        ('image,caption\n"x\ny.jpg",A cat\na.jpg,A dog\n', ["line 2: a line break or a NUL in"]),
        (
            'image,caption\na.jpg,"A\ndog"\nb.jpg,\n"c.jpg","\n"\n,x\n',
            ["line 4: a blank caption for b", "line 5: a blank caption for c", "line 7: no image"],
        ),
        (
            "a.jpg#0\tA dog\nb.jpg A cat\nb.jpg#1\t \n",
            ["line 2: expected `name#0<TAB>caption`, got 'b.jpg A cat'", "line 3: a blank caption"],
        ),
        ("image,caption\r\ra.jpg,A dog\rb.jpg,\r", ["line 4: a blank caption for b.jpg"]),
    ],
)
def test_rows_passed_over_are_named_by_line(write, content, problems):
    path = write(content)
    found = read_captions(path)
    assert [text for texts in found.captions.values() for text in texts] == ["A dog"]
    for message, problem in zip(found.problems, problems, strict=True):
        assert message.startswith(f"{path}, {problem}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "captions.csv: empty"),
        (b"\n \n", "captions.csv: empty"),
        (b"\xef\xbb\xbf", "captions.csv: empty"),
        (b"image,words\na.jpg,A dog\n", "captions.csv, line 1: no column caption; expected"),
        (b"a.jpg,A dog\n", "captions.csv, line 1: no column image and no column caption"),
        (b"image,caption\n", "captions.csv: not a single caption in it"),
        (b"image,caption\na.jpg,\n", "captions.csv: not a single caption in it"),
        (b"image,caption\na.jpg,A caf\xc3\xa9, caf\xe9\n", "captions.csv, line 2: not UTF-8; save"),
        (b"image,caption\r\na.jpg,\xc3\xa9\r\nb.jpg,\xe9\r\n", "captions.csv, line 3: not UTF-8"),
        (b"image,caption\ra.jpg,\xc3\xa9\rb.jpg,\xc3\xa9\r\xe9", "captions.csv, line 4: not UTF-8"),
        (b"\xef\xbb\xbfimage,caption\n\xe9.jpg,A dog\n", "captions.csv, line 2: not UTF-8"),
        (b"PK\3\4\x14\0\xff\xfe\n", "captions.csv, line 1: not UTF-8; save the file"),
        (b"\xff\xfea", "captions.csv: damaged UTF-16; save the file"),
        (b"\xfe\xff\xd8\x00", "captions.csv: damaged UTF-16; save the file"),
        (b'image,caption\na.jpg,dog\nb.jpg,"A cat\nc.jpg,x\n', "captions.csv, line 3: not a table"),
        (b'image,caption\nb.jpg,"A cat\nc.jpg,"A dog"\n', "captions.csv, line 2: not a table"),
        (b'image,"caption\na.jpg,A dog\n', "captions.csv, line 1: not a table"),
    ],
)
def test_files_that_cannot_be_used(write, content, message):
    path = write(content)
    with pytest.raises(InputError) as error:
        read_captions(path)
    assert str(error.value).startswith(str(path.parent / message))
    assert "\n" not in str(error.value)


def test_a_missing_quote_says_so(write):
    with pytest.raises(InputError, match=r"is a quote missing\?$"):
        read_captions(write('image,caption\na.jpg,"A dog\n'))


def test_no_file(tmp_path):
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'no.csv'}: no such file")):
        read_captions(tmp_path / "no.csv")


def test_one_image_spelled_two_ways_is_one(tmp_path):
    (tmp_path / "t.csv").write_text("image,caption\n./a.jpg,a dog\na.jpg,a cat\n")
    (tmp_path / "train.txt").write_text("./a.jpg\na.jpg\n")
    assert read_captions(tmp_path / "t.csv").captions == {"a.jpg": ["a dog", "a cat"]}
    assert read_split_files({"train": tmp_path / "train.txt"}) == {"train": ["a.jpg"]}


def test_quotation_marks_between_tabs_may_be_a_caption_s(tmp_path):
    table = tmp_path / "c.tsv"
    table.write_text('image\tcaption\na.jpg\t"Stop" reads a sign\nb.jpg\tsay "hi\n')
    assert read_captions(table).captions == {"a.jpg": ['"Stop" reads a sign'], "b.jpg": ['say "hi']}
    table.write_text('image\tcaption\na.jpg\t"a tab:\t, and ""quotes"""\n')
    assert read_captions(table).captions == {"a.jpg": ['a tab: , and "quotes"']}
