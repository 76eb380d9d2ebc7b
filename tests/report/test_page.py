import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from limner.captioner import checkpoint_path
from limner.checkpoint import load_checkpoint
from limner.data.opening import open_dataset
from limner.data.schema import DatasetInfo, SourceInfo
from limner.evaluation.assessment import assess
from limner.images.images import load_image
from limner.report import write_report
from limner.report.thumbnail import THUMBNAIL_BYTES, thumbnail
from limner.report.wall import EXTREMES, MOST, choose
from limner.training.history import HistoryLine, read_history

VOID = {"meta", "img", "line", "path", "link", "input", "rect", "circle", "br"}


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
    def write(change=lambda evaluation: evaluation, dataset=None, history=None):
        data = dataset or open_dataset(tiny_dataset)
        checkpoint = load_checkpoint(checkpoint_path(tiny_run))
        assessment = assess(checkpoint.model, data, "train")
        assessment = replace(assessment, evaluation=change(assessment.evaluation))
        path = tmp_path / "report.html"
        lines = read_history(tiny_run) if history is None else history
        write_report(path, assessment, data, checkpoint, lines)
        return path.read_text("utf-8")

    return write


def test_one_page_that_needs_nothing_else(page, tiny_dataset):
    text = page()
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    used = re.findall(r"""(?:src|href)="([^"]*)|url\(([^)]*)|(@import)""", text)
    outside = [link for link, *more in used if any(more) or not link.startswith(("data:", "#"))]
    assert outside == []
    images = open_dataset(tiny_dataset).splits["train"].image_ids
    assert text.count('src="data:image/jpeg;base64,') == len(images)
    assert text.count('class="card"') == len(images)


def test_what_the_numbers_depend_on_is_there(page):
    text = page()
    for fact in ("scale", "references", "tokenizer", "decoding", "model", "dataset", "limner"):
        assert f"<dt>{fact}</dt>" in text
    for row in ("the model", "pictures shuffled", "nearest neighbours", "a person"):
        assert f'<th scope="row">{row}</th>' in text
    for score in ("BLEU-1", "ROUGE-L", "CIDEr", "CIDEr-D"):
        assert f">{score}</th>" in text


def test_what_people_wrote_is_text_and_not_markup(page):
    evil = "<script>alert(1)</script> & $title co"

    def change(evaluation):
        captions = dict.fromkeys(evaluation.captions, evil)
        return replace(evaluation, captions=captions, references={i: [evil] for i in captions})

    text = page(change)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; $title co" in text


def test_pictures_that_are_gone_are_shown_as_gone(page, tiny_dataset, tmp_path):
    nowhere = SourceInfo(images=str(tmp_path / "nowhere"))
    data = replace(open_dataset(tiny_dataset), info=DatasetInfo(source=nowhere))
    text = page(dataset=data)
    assert "data:image/jpeg" not in text
    assert text.count("The picture is gone.") == len(data.splits["train"].image_ids)


def test_a_history_that_is_old_or_missing(page):
    assert "No history of this run was kept" in page(history=[])
    old = [
        HistoryLine(iteration=e, epoch=e, mean_loss=9 - e, validation={"BLEU-4": e})
        for e in (1, 2, 3)
    ]
    text = page(history=old)
    assert "nan" not in text.lower().split("<style>")[0]
    assert "Scores while it learnt" in text


def test_a_long_wall_has_the_best_the_worst_and_some_others(rng):
    scores = rng.random(1000)
    shown = choose(scores)
    assert len(shown) == len(set(shown.tolist())) == MOST
    ranked = np.argsort(-scores)
    assert set(ranked[:EXTREMES]) | set(ranked[-EXTREMES:]) <= set(shown.tolist())
    assert (choose(scores) == shown).all()
    assert sorted(choose(scores[:30]).tolist()) == list(range(30))


def test_200_pictures_of_noise_stay_under_5_megabytes(tmp_path, rng):
    """Noise is the hardest picture to compress."""
    noise = rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    size = len(thumbnail(lambda: load_image(tmp_path / "noise.png"), "noise"))
    assert size < THUMBNAIL_BYTES * 4 / 3 + 200
    assert MOST * size < 4_500_000
