import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from limner.captioner import checkpoint_path
from limner.checkpoint import load_checkpoint
from limner.data.opening import open_dataset
from limner.data.schema import DatasetInfo, SourceInfo
from limner.evaluation.assessment import assess
from limner.evaluation.evaluate import score
from limner.report.run import EXTREMES, MOST, choose, word_use, write_report
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


def test_report_is_self_contained(page, tiny_dataset):
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


def test_report_has_provenance(page):
    text = page()
    for fact in ("scale", "references", "tokenizer", "decoding", "model", "dataset", "limner"):
        assert f"<dt>{fact}</dt>" in text
    for row in ("the model", "images shuffled", "nearest neighbours", "a person"):
        assert f'<th scope="row">{row}</th>' in text
    for name in ("BLEU-1", "ROUGE-L", "CIDEr", "CIDEr-D"):
        assert f">{name}</th>" in text


def test_report_escapes_captions(page):
    evil = "<script>alert(1)</script> & $title co"

    def change(evaluation):
        captions = dict.fromkeys(evaluation.captions, evil)
        return replace(evaluation, captions=captions, references={i: [evil] for i in captions})

    text = page(change)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; $title co" in text


def test_report_marks_missing_images(page, tiny_dataset, tmp_path):
    nowhere = SourceInfo(images=str(tmp_path / "nowhere"))
    data = replace(open_dataset(tiny_dataset), info=DatasetInfo(source=nowhere))
    text = page(dataset=data)
    assert "data:image/jpeg" not in text
    assert text.count("Image not found.") == len(data.splits["train"].image_ids)


def test_report_with_old_or_missing_history(page):
    assert "This run has no history" in page(history=[])
    old = [
        HistoryLine(iteration=e, epoch=e, mean_loss=9 - e, validation={"BLEU-4": e})
        for e in (1, 2, 3)
    ]
    text = page(history=old)
    assert "nan" not in text.lower().split("<style>")[0]
    assert "Validation scores" in text


def test_choose_takes_best_worst_and_random_images(rng):
    scores = rng.random(1000)
    shown = choose(scores)
    assert len(shown) == len(set(shown.tolist())) == MOST
    ranked = np.argsort(-scores)
    assert set(ranked[:EXTREMES]) | set(ranked[-EXTREMES:]) <= set(shown.tolist())
    assert (choose(scores) == shown).all()
    assert sorted(choose(scores[:30]).tolist()) == list(range(30))


REFERENCES = {"1": ["a red dog runs", "the dog"], "2": ["a <b>cat</b> sleeps", "two cats"]}


def test_word_use_lists_unused_words():
    found = word_use(score({"1": "a dog", "2": "a dog"}, REFERENCES))
    assert found["words"].keys() == {"a", "dog"}
    assert "red" in found["unused"]
    assert "dog" not in found["unused"]
    assert len(found["unused"]) == len(found["reference_words"].keys() - {"a", "dog"})


def test_word_use_is_a_share_of_captions():
    _, chart = word_use(score({"1": "a dog", "2": "a cat"}, REFERENCES))["word_charts"]
    tips = [mark.tip for mark in chart.marks]
    assert "a, the model: 100.0 %" in tips
    assert "dog, the model: 50.0 %" in tips
    assert "dog, people: 50.0 %" in tips


def test_word_use_of_empty_captions():
    found = word_use(score({"1": "", "2": "..."}, REFERENCES))
    [lengths] = found["word_charts"]
    assert any(mark.tag == "rect" for mark in lengths.marks)
    assert found["words"] == {}
    assert found["unused"][0] == "a"


def test_report_lists_unused_words(page, tiny_dataset):
    def change(evaluation):
        return score(dict.fromkeys(evaluation.captions, "a"), evaluation.references)

    text = page(change)
    assert "The model uses 1 words, the references" in text
    assert re.search(r"never uses: (<i>[^<]+</i>, ){23}<i>[^<]+</i>\.\s*</p>", text)
    assert "<i>a</i>" not in text
    everything = {i: [one] for i in open_dataset(tiny_dataset).references["train"] for one in ["a"]}
    text = page(lambda evaluation: score(dict.fromkeys(everything, "a"), everything))
    assert "The model uses every word of the references." in text
