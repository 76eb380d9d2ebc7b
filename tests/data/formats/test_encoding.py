"""Text that is not UTF-8, as spreadsheets write it."""

import pytest

from limner.data.formats.encoding import read_text
from limner.errors import InputError

CAPTIONS = {
    "cp1252": [
        "A café",
        "A dog’s bed – “nice”",
        "A bag for 5 €",
        "Ein Mann läuft über die Straße",
        "Un garçon mange une crêpe à la plage",
        "Un niño pequeño está jugando en el jardín",
        "Um cão está correndo na praia, não há ninguém à vista",
        "En hund løper på gresset under blå himmel",
    ],
    "cp1250": [
        "Mężczyzna jedzie na rowerze, dwa psy bawią się na łące w słońcu",
        "Mały chłopiec je lody na plaży, a żółta łódź płynie po morzu",
    ],
    "cp1251": ["Собака бежит по зелёной траве"],
    "cp1253": ["Ένας σκύλος τρέχει στο γρασίδι"],
    "cp932": ["犬が草の上を走っている"],
    "gb18030": ["一只狗在草地上奔跑"],
    "cp949": ["개가 잔디 위를 달리고 있다"],
}


@pytest.mark.parametrize("rows", [1, 50])
@pytest.mark.parametrize(
    ("encoding", "caption"), [(name, text) for name, texts in CAPTIONS.items() for text in texts]
)
def test_windows_encodings_are_read_with_a_warning(tmp_path, caplog, encoding, caption, rows):
    text = "image,caption\n" + "\n".join(f"{row}.jpg,{caption}" for row in range(rows))
    path = tmp_path / "captions.csv"
    path.write_bytes(text.replace("\n", "\r\n").encode(encoding))
    assert read_text(path) == text
    (line,) = caplog.messages
    name = encoding.replace("cp125", "Windows-125")
    assert line.startswith(f"{path}, line 2: not UTF-8, read as {name}; if letters are wrong, save")
    assert read_text(path) == text
    assert len(caplog.messages) == 1  # said once


@pytest.mark.parametrize(
    "content",
    [
        "Un garçon à la plage, une crêpe à l'école".encode()[:-1] + b"\xc3",
        b"\xef\xbb\xbfA caf\xe9",
        bytes(range(254, -1, -1)),
        b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    ],
)
def test_damaged_utf8_and_binary_files_are_refused(tmp_path, caplog, content):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.txt, line 1: not UTF-8; save the file"):
        read_text(tmp_path / "a.txt")
    assert not caplog.messages


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_read_without_a_word(tmp_path, caplog, encoding):
    (tmp_path / "a.txt").write_text("A café\nA dog\n", encoding)
    assert read_text(tmp_path / "a.txt") == "A café\nA dog"
    assert not caplog.messages
