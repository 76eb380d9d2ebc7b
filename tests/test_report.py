import re
from html.parser import HTMLParser

import pytest

from limner.captioner import checkpoint_path
from limner.checkpoint import load_checkpoint
from limner.data.dataset import open_dataset
from limner.evaluation import Evaluation, evaluate
from limner.report import line_chart, write_report
from limner.run import read_history

VOID = {"meta", "img", "line", "path"}


class Balance(HTMLParser):
    """Raises where a tag closes that is not open, and keeps what is open at the end."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture
def page(tiny_dataset, tiny_run, tmp_path):
    def write(change=lambda evaluation: evaluation, dataset=None):
        data = dataset or open_dataset(tiny_dataset)
        checkpoint = load_checkpoint(checkpoint_path(tiny_run))
        evaluation = change(evaluate(checkpoint.model, data, "train"))
        path = tmp_path / "report.html"
        write_report(path, evaluation, data, checkpoint, read_history(tiny_run))
        return path.read_text("utf-8")

    return write


def test_one_page_that_needs_nothing_else(page, tiny_dataset):
    text = page()
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert not re.search(r"(src|href)=.?(?!.?data:)", text.replace('src="data:', ""))
    images = open_dataset(tiny_dataset).splits["train"].image_ids
    assert text.count('src="data:image/jpeg;base64,') == len(images)
    assert text.count("<figure>") == len(images)
    assert "BLEU-4<b>" in text


def test_what_people_wrote_is_text_and_not_markup(page):
    evil = "<script>alert(1)</script> & co"

    def change(e):
        captions = dict.fromkeys(e.captions, evil)
        return Evaluation(e.split, captions, {i: [evil] for i in captions}, e.scores)

    text = page(change)
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co" in text


def test_pictures_that_are_gone_are_shown_as_gone(page, tiny_dataset, tmp_path):
    data = open_dataset(tiny_dataset)
    data.info["source"]["images"] = str(tmp_path / "nowhere")
    text = page(dataset=data)
    assert "data:image" not in text
    assert text.count("the picture is gone") == len(data.splits["train"].image_ids)


def test_a_chart_of_one_value_throughout():
    assert line_chart([(0, 2.0), (1, 2.0)]).count("nan") == 0
