"""Every number that a page or the terminal shows is the assessment's, and stands under its name.

The numbers are made up and all different: two columns, rows or charts that change places are found.
"""

import json
import re
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from rich.console import Console

from limner.captioner import checkpoint_path
from limner.checkpoint import load_checkpoint
from limner.cli import main
from limner.cli.console import print_differences, print_rows
from limner.data.opening import open_dataset
from limner.evaluation.assessment import Assessment, Row
from limner.evaluation.evaluate import score
from limner.metrics import Difference, Diversity, Scores
from limner.report.run import write_report
from limner.training.history import HistoryLine
from report.dom import facts_of, parse, table_of

ROWS = ("the model", "images shuffled", "nearest neighbours", "a person")
SCORES = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr", "CIDEr-D")
PARTS = {  # of `Diversity`, by the columns' names on the page and on the terminal
    "distinct": ("distinct captions, %", "distinct captions, %"),
    "vocabulary": ("words used", "different words"),
    "mean_length": ("mean length", "words per caption"),
    "seen": ("seen in training, %", "seen in training, %"),
}
HISTORY = [
    HistoryLine(epoch=0.5, iteration=5, loss=30.5),
    HistoryLine(epoch=1.0, iteration=10, loss=21.0),
    HistoryLine(epoch=1.0, iteration=10, mean_loss=26.25, validation={"CIDEr": 10, "BLEU-4": 3}),
    HistoryLine(epoch=2.0, iteration=20, loss=12.0),
    HistoryLine(epoch=2.0, iteration=20, mean_loss=15.5, validation={"CIDEr": 20, "BLEU-4": 9}),
]


def new_row(numbers):
    """Numbers that no other row has."""
    scores = {name: next(numbers) for name in SCORES}
    intervals = {name: (value - 0.7, value + 0.8) for name, value in scores.items()}
    words = int(1000 * next(numbers))
    made = Diversity(next(numbers), words, next(numbers), next(numbers))
    return Row(scores, intervals, made)


@pytest.fixture(scope="module")
def dataset(tiny_dataset):
    return open_dataset(tiny_dataset)


@pytest.fixture(scope="module")
def assessment(dataset):
    numbers = (0.93 + 1.73 * i for i in count())
    references = dataset.references["train"]
    captions = {image: f"caption number {i} is here" for i, image in enumerate(references)}
    found = score(captions, references)
    per_image = {name: np.array([next(numbers) for _ in captions]) for name in SCORES}
    evaluation = replace(found, table=Scores(per_image, found.table.bleu))
    numbers = (1.93 + 2.3 * i for i in count())
    rows = {name: new_row(numbers) for name in ROWS}
    provenance = {"scale": "0 to 7", "limner": "8.9", "decoding": "by dice"}
    return Assessment("train", evaluation, rows, provenance)


@pytest.fixture(scope="module")
def checkpoint(tiny_run):
    return load_checkpoint(checkpoint_path(tiny_run))


@pytest.fixture(scope="module")
def page(assessment, dataset, checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(path, assessment, dataset, checkpoint, HISTORY)
    root = parse(path.read_text("utf-8"))
    return {section.attrs["id"]: section for section in root.all("section")}


def test_page_table_of_scores(page, assessment):
    table = table_of(page["scores"].one("table"))
    assert list(table) == list(assessment.rows)
    for name, row in assessment.rows.items():
        cells = table[name]
        assert list(cells) == [*SCORES, *(on_page for on_page, _ in PARTS.values())]
        for one in SCORES:
            assert cells[one].own == f"{row.scores[one]:.1f}"
            low, high = row.intervals[one]
            assert cells[one].one("small").text == f"{low:.1f}–{high:.1f}"
        for part, (on_page, _) in PARTS.items():
            assert cells[on_page].text == number(part, row.diversity)


def number(part, diversity):
    value = getattr(diversity, part)
    return f"{value:,}" if part == "vocabulary" else f"{value:.1f}"


def charts_of(section):
    return {figure.one("h3").text: figure for figure in section.all("figure")}


def axis(texts):
    """From a pixel to a number, by the numbers at the ticks: (position, text)."""
    (first, low), *_, (last, high) = [(at, float(text.replace(",", ""))) for at, text in texts]
    return lambda pixel: low + (pixel - first) / (last - first) * (high - low)


def texts_at(figure, y):
    """Texts of one height, with where they stand: {x: text}."""
    return {
        text.number("x"): text.text
        for text in figure.all("text")
        if abs(text.number("y") - y) < 0.11
    }


@pytest.mark.parametrize("name", ["CIDEr", "BLEU-4"])
def test_page_charts_of_intervals(name, page, assessment):
    figure = charts_of(page["scores"])[name]
    floor = max(line.number("y2") for line in figure.all("line", "grid"))
    value_at = axis(texts_at(figure, floor + 16).items())
    near = pytest.approx
    found = {}
    for circle in figure.all("circle"):
        y = circle.number("cy")
        [label] = texts_at(figure, y + 4).values()
        [shown] = texts_at(figure, y - 9).values()
        [line] = [one for one in figure.all("line", circle.attrs["class"]) if one.number("y1") == y]
        found[label] = row = assessment.rows[label]
        assert shown == f"{row.scores[name]:.1f}"
        assert value_at(circle.number("cx")) == near(row.scores[name], abs=0.05)
        ends = [value_at(line.number(end)) for end in ("x1", "x2")]
        assert ends == near(row.intervals[name], abs=0.05)
    assert list(found) == list(assessment.rows)
    said = "; ".join(f"{label} {row.scores[name]:.1f}" for label, row in assessment.rows.items())
    assert figure.one("title").text == f"{name}: {said}"


def test_page_explains_the_baselines(page, assessment, dataset, checkpoint, tmp_path):
    model, shuffled, nearest, human = assessment.rows.values()
    low, high = (row.scores["CIDEr"] for row in (model, shuffled))
    texts = facts_of(page["scores"].one("dl"))
    assert list(texts) == list(ROWS[1:])
    assert f"CIDEr is {low:.1f} before and {high:.1f} after" in texts[ROWS[1]]
    assert "the model is not significantly better" in " ".join(texts[ROWS[2]].split())
    rows = dict(zip(ROWS, (human, model, nearest, shuffled), strict=True))
    write_report(tmp_path / "page.html", replace(assessment, rows=rows), dataset, checkpoint, [])
    [texts] = [
        facts_of(section.one("dl"))
        for section in parse((tmp_path / "page.html").read_text("utf-8")).all("section")
        if section.attrs["id"] == "scores"
    ]
    assert f"falls from {human.scores['CIDEr']:.1f} to {low:.1f}:" in texts[ROWS[1]]
    assert "the model is significantly better" in " ".join(texts[ROWS[2]].split())


def test_page_images(page, assessment):
    evaluation = assessment.evaluation
    images = {caption: image for image, caption in evaluation.captions.items()}
    place = {image: i for i, image in enumerate(evaluation.captions)}
    cards = page["images"].all("li", "card")
    assert len(cards) == len(images)
    for card in cards:
        image = images.pop(card.one("p", "caption").text)
        scores = {
            name: float(values[place[image]]) for name, values in evaluation.table.per_image.items()
        }
        shown = facts_of(card.one("dl"))
        assert shown == {name: f"{value:.1f}" for name, value in scores.items()}
        assert card.one("p", "score").text == f"CIDEr {scores['CIDEr']:.0f}"
        assert card.number("data-score") == pytest.approx(scores["CIDEr"], abs=0.001)
        assert [li.text for li in card.one("ul").all("li")] == evaluation.references[image]
    assert not images


def test_page_curves_of_training(page):
    charts = charts_of(page["training"])
    expected = {
        "Training loss": {
            "10 steps": [(0.5, 30.5), (1, 21), (2, 12)],
            "mean of the epoch": [(1, 26.25), (2, 15.5)],
        },
        "Validation scores": {"CIDEr": [(1, 10), (2, 20)], "BLEU-4": [(1, 3), (2, 9)]},
    }
    assert list(charts) == list(expected)
    for heading, curves in expected.items():
        assert curves_of(charts[heading]) == {
            name: pytest.approx(np.ravel(points), abs=0.1) for name, points in curves.items()
        }
    ends = "CIDEr from 10.0 to 20.0; BLEU-4 from 3.0 to 9.0"
    assert charts["Validation scores"].one("title").text.endswith(f": {ends}")


def curves_of(figure):
    """{name of the curve: x, y, x, y, ...}, read off the axes."""
    left = min(line.number("x1") for line in figure.all("line", "grid"))
    floor = max(line.number("y2") for line in figure.all("line", "grid"))
    upright = [
        (text.number("y") - 4, text.text)
        for text in figure.all("text")
        if text.number("x") == pytest.approx(left - 7)
    ]
    x_of, y_of = axis(texts_at(figure, floor + 16).items()), axis(upright)
    names = {li.attrs["class"]: li.text for li in figure.one("ul").all("li")}
    return {
        names[path.attrs["class"]]: np.ravel(
            [
                (x_of(float(x)), y_of(float(y)))
                for x, y in re.findall(r"([\d.]+),([\d.]+)", path.attrs["d"])
            ]
        )
        for path in figure.all("path")
    }


def test_page_provenance_and_settings(page, assessment, checkpoint, dataset):
    provenance, settings = map(facts_of, page["provenance"].all("dl"))
    assert provenance == assessment.provenance
    training = checkpoint.info.training
    for name in ("hidden_dim", "learning_rate", "batch_size", "epochs", "iteration", "seed"):
        assert settings[name.replace("_", " ")] == str(training[name])
    assert settings["parameters"] == f"{checkpoint.model.num_parameters:,}"
    assert settings["vocabulary"] == f"{len(dataset.vocabulary):,} words"


def test_page_words(page, assessment):
    """How many captions have how many words, in per cent of the model's and of people's."""
    figure = charts_of(page["words"])["Caption lengths"]
    evaluation = assessment.evaluation
    references = [tokens for several in evaluation.reference_tokens for tokens in several]
    for who, captions in (("the model", evaluation.candidate_tokens), ("people", references)):
        lengths = [len(tokens) for tokens in captions]
        tips = [title.text for title in figure.all("title") if title.text.startswith(f"{who}, ")]
        assert len(tips) > 3
        for tip in tips:
            length, share = re.fullmatch(r".*, (\d+) words: ([\d.]+) %", tip).groups()
            expected = 100 * lengths.count(int(length)) / len(lengths)
            assert float(share) == pytest.approx(expected, abs=0.05)


@pytest.fixture
def wide(monkeypatch):
    """A terminal that no table is too wide for."""
    console = Console(width=200, highlight=False, soft_wrap=True, markup=False, emoji=False)
    monkeypatch.setattr("limner.cli.console.stdout", console)


def cells(line):
    return re.split(r"\s{2,}", line.strip())


def test_terminal_rows(assessment, capsys, wide):
    rows = assessment.rows
    print_rows("the title", rows, {"scale": "0 to 7"})
    head, *lines = capsys.readouterr().out.splitlines()
    model, *others = rows.values()
    assert cells(head) == ["the title", ROWS[0], "95 %", *ROWS[1:]]
    expected = []
    for name in SCORES:
        low, high = model.intervals[name]
        values = [f"{row.scores[name]:.2f}" for row in others]
        expected.append([name, f"{model.scores[name]:.2f}", f"{low:.1f}-{high:.1f}", *values])
    for part, (_, name) in PARTS.items():
        expected.append([name, *(number(part, row.diversity) for row in rows.values())])
    assert [cells(line) for line in lines] == [*expected, ["scale: 0 to 7"]]


def test_terminal_differences(capsys, wide):
    numbers = (1.2 + 2.34 * i for i in count())
    first, second = (Scores({}, np.zeros((1, 10))) for _ in range(2))
    corpora = [{name: next(numbers) for name in SCORES} for _ in range(2)]
    found = {
        name: Difference(next(numbers), (next(numbers) - 70 * (i % 2), next(numbers)), i / 100)
        for i, name in enumerate(SCORES)
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scores, "corpus", property(lambda self: corpora[self is second]))
        print_differences(("one", "two"), (first, second), found)
    head, *lines = capsys.readouterr().out.splitlines()
    assert cells(head) == ["one", "two", "difference", "95 %", "p"]
    assert [cells(line) for line in lines] == [
        difference_row(name, corpora[0][name], corpora[1][name], one.value, *one.interval, one)
        for name, one in found.items()
    ]
    assert {one.real for one in found.values()} == {True, False}


def difference_row(name, first, second, value, low, high, one):
    verdict = "significant" if one.real else "not significant"
    numbers = f"{first:.2f}", f"{second:.2f}", f"{value:+.2f}"
    return [name, *numbers, f"{low:+.2f} to {high:+.2f}", f"{one.p_value:.3f}", verdict]


def test_compare_prints_the_values_of_its_json(capsys, wide, rng, tmp_path):
    words = np.array(["a", "red", "dog", "cat", "runs", "sits", "on", "grass"])
    references = {str(i): [" ".join(rng.choice(words, 6)) for _ in range(3)] for i in range(30)}
    files = {
        "one.json": {i: several[0] for i, several in references.items()},
        "two.json": {i: " ".join(rng.choice(words, 5)) for i in references},
        "references.json": references,
    }
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    paths = [str(tmp_path / name) for name in files]
    out = str(tmp_path / "out.json")
    assert main(["compare", *paths[:2], "--references", paths[2], "--json", out]) == 0
    printed = [cells(line) for line in capsys.readouterr().out.splitlines()]
    result = json.loads((tmp_path / "out.json").read_text())
    first, second = (result[which]["scores"] for which in ("first", "second"))
    found = {
        name: Difference(one["value"], tuple(one["interval"]), one["p_value"])
        for name, one in result["differences"].items()
    }
    rows = [row for row in printed if row and row[0] in found]  # long paths wrap in the header
    assert rows == [
        difference_row(name, first[name], second[name], one.value, *one.interval, one)
        for name, one in found.items()
    ]
    assert first["BLEU-1"] > second["BLEU-1"]
    assert result["differences"]["BLEU-1"]["value"] == pytest.approx(
        second["BLEU-1"] - first["BLEU-1"]
    )
