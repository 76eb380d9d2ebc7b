import re
from dataclasses import replace

import pytest

from limner.data.opening import open_dataset
from limner.data.schema import DatasetInfo, SourceInfo
from limner.errors import InputError
from limner.report.rows import MOST, write_rows

EVIL = "<script>alert(1)</script> & $title zyzzyva"


@pytest.fixture
def data(tiny_dataset):
    return open_dataset(tiny_dataset)


def test_rows_page_has_images_and_captions(data, tmp_path):
    write_rows(tmp_path / "rows.html", data, "train", range(3, 8))
    text = (tmp_path / "rows.html").read_text("utf-8")
    assert "5 of the 20 images of the split train" in text
    assert text.count('src="data:image/jpeg;base64,') == 5
    plain = re.sub("</?mark>", "", text)
    for row, image in enumerate(data.splits["train"].image_ids):
        assert (f'<p class="name">{image}</p>' in text) == (3 <= row < 8)
        for caption in data.references["train"][image]:
            assert (f"<li>{caption}</li>" in plain) >= (3 <= row < 8)
    assert "<script" not in text
    assert "default-src 'none'; img-src data:" in text


def test_rows_page_escapes_text_and_marks_unknown_words(data, tmp_path):
    image = data.splits["train"].image_ids[0]
    data.references["train"][image] = [EVIL]
    data = replace(data, info=DatasetInfo(source=SourceInfo(images=str(tmp_path / "nowhere"))))
    write_rows(tmp_path / "rows.html", data, "train", [0])
    text = (tmp_path / "rows.html").read_text("utf-8")
    assert "<script" not in text
    assert "&lt;<mark>script</mark>&gt;" in text
    assert "&amp; $<mark>title</mark> <mark>zyzzyva</mark></li>" in text
    assert "Image not found." in text


def test_rows_page_refuses_too_many_images(data, tmp_path):
    with pytest.raises(InputError, match=f"expected at most {MOST} images for a page"):
        write_rows(tmp_path / "rows.html", data, "train", range(MOST + 1))
