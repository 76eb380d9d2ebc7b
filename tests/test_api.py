"""The package's functions against the commands: the same defaults, the same numbers."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import limner
from limner.cli import main
from limner.shapes import write_folder


def silent(line):
    """Takes a line, and says nothing."""


def results_of(tmp_path, *arguments):
    """The JSON that a command writes."""
    out = tmp_path / "result.json"
    assert main([*map(str, arguments), "--json", str(out)]) == 0
    return json.loads(out.read_text("utf-8"))


def test_the_whole_way(tmp_path):
    write_folder(tmp_path / "drawn", 120, seed=0)
    source = str(tmp_path / "drawn")
    assert limner.check(source, ratio=[80, 10, 10]).splits.keys() == {"train", "dev", "test"}
    data = limner.prepare(source, str(tmp_path / "data"), min_count=2, report=silent)
    assert data.splits["train"].captions.shape[0] > 300
    settings = {"hidden_dim": 32, "wordvec_dim": 16, "batch_size": 32}
    run = limner.train(str(data.path), tmp_path / "run", epochs=1, report=silent, **settings)
    assert run.checkpoint.info.training["epochs"] == 1
    losses = [line.mean_loss for line in run.history if line.mean_loss]
    run = limner.train(data, tmp_path / "run", resume=True, epochs=2, report=silent)
    again = [line.mean_loss for line in run.history if line.mean_loss]
    assert (again[:1], len(again)) == (losses, 2)
    image = next((tmp_path / "drawn").rglob("*.jpg"))
    assert run.captioner().caption(str(image)).text


def test_readme_caption_is_that_of_the_bundled_captioner(capsys):
    root = Path(__file__).parents[1]
    text = (root / "README.md").read_text("utf-8")
    caption = re.search(r"\$ limner caption .* (docs/\S+)\n(.+)\n", text)
    assert main(["caption", str(root / caption[1])]) == 0
    assert capsys.readouterr().out.strip() == caption[2]


def test_the_readmes_python(tmp_path, monkeypatch, capsys):
    text = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (code,) = [block for block in blocks if "limner.prepare" in block]
    write_folder(tmp_path / "holiday", 120, seed=0)
    image = next((tmp_path / "holiday").rglob("*.jpg"))
    shutil.copy(image, tmp_path / "new.jpg")
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    *_, scores, caption = capsys.readouterr().out.splitlines()
    assert "CIDEr" in scores
    assert len(caption.split()) > 3


def test_evaluate_is_the_command(tiny_run, tiny_dataset, tmp_path):
    expected = results_of(tmp_path, "evaluate", tiny_run, "--no-java")["scores"]
    data = limner.open_dataset(tiny_dataset)
    captioner = limner.load(tiny_run)
    for model, dataset in (
        (str(tiny_run), None),
        (limner.Run(tiny_run), str(tiny_dataset)),
        (captioner, data),
        (captioner.model, data),
    ):
        assert limner.evaluate(model, dataset).scores == pytest.approx(expected)
    assert "CIDEr" in repr(limner.evaluate(tiny_run))
    expected = results_of(tmp_path, "evaluate", tiny_run, tiny_run, "--beam-size", 1, "--no-java")
    found = limner.evaluate([tiny_run, captioner], beam_size=1)
    assert found.scores == pytest.approx(expected["scores"])


def test_score_and_compare_are_the_commands(tiny_run, tmp_path):
    rng = np.random.default_rng(0)
    words = np.array(["a", "red", "dog", "cat", "runs", "sits"])
    references = {str(i): [" ".join(rng.choice(words, 5)) for _ in range(2)] for i in range(20)}
    one, two, wanted = (tmp_path / f"{name}.json" for name in ("one", "two", "references"))
    wanted.write_text(json.dumps(references))
    for file in (one, two):
        file.write_text(json.dumps({image: " ".join(rng.choice(words, 5)) for image in references}))
    said = json.loads(one.read_text())

    expected = results_of(tmp_path, "score", one, wanted, "--no-java")["scores"]
    assert limner.score(str(one), wanted).scores == pytest.approx(expected)
    assert limner.score(said, references).scores == pytest.approx(expected)
    trained = limner.score(said, references, training=references)
    assert trained.rows["the model"].diversity.seen is not None

    expected = results_of(tmp_path, "compare", one, two, "--references", wanted)["differences"]
    for found in (
        limner.compare(one, str(two), references=wanted),
        limner.compare(said, json.loads(two.read_text()), references=references),
    ):
        values = {name: difference.value for name, difference in found.differences.items()}
        assert values == pytest.approx({n: one["value"] for n, one in expected.items()})
    same = limner.compare(tiny_run, limner.load(tiny_run))
    assert {difference.value for difference in same.differences.values()} == {0}
    assert len(repr(same)) < 2000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: limner.prepare("photos", "out", colour=3), "`colour`: no such setting; there are"),
        (
            lambda: limner.prepare("photos", "out", size=10**18),
            "`size` 10+: expected a whole",
        ),
        (lambda: limner.check("photos", seed=-1), "`seed` -1: expected a whole number"),
        (lambda: limner.train("data", "run", hiden_dim=3), "`hiden_dim`: no such setting"),
        (lambda: limner.train("data", "run", warmup=0.5), "`warmup` has no effect with `schedule`"),
        (
            lambda: limner.evaluate("run", groups=2),
            "`groups` 2, `beam_size` 3: expected a",
        ),
        (lambda: limner.compare({}, {}, references={}, split="dev"), "`split` has no effect with"),
        (lambda: limner.score({"a": "x"}, {"b": ["y"]}), "candidates: none of its 1 ids is in"),
    ],
)
def test_errors_name_arguments(call, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "--" not in str(error.value)
    assert list(Path().iterdir()) == []


def test_a_model_in_memory_needs_a_dataset(tiny_run):
    with pytest.raises(ValueError, match="`dataset`: a model in memory"):
        limner.evaluate(limner.load(tiny_run))


def test_explain_and_attention_map_are_the_commands(tmp_path, capsys):
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)).save(path)
    arguments = ["caption", str(path), "--explain", "--json", "--attention", str(tmp_path)]
    assert main(arguments) == 0
    words = json.loads(capsys.readouterr().out)["words"]
    captioner = limner.load()
    choices = limner.explain(captioner, captioner.caption(path))
    assert [one.word for one in choices] == [one["word"] for one in words]
    assert choices[0].probability == pytest.approx(words[0]["probability"], abs=1e-4)
    drawn = np.asarray(limner.attention_map(captioner, path))
    assert np.array_equal(drawn, np.asarray(Image.open(tmp_path / "a-attention.png")))


def test_attention_map_needs_attention(tiny_run):
    with pytest.raises(ValueError, match="`captioner`: expected one of a model with attention"):
        limner.attention_map(limner.load(tiny_run), np.zeros((8, 8, 3), np.uint8))


def test_reprs_are_short(tiny_run, tiny_dataset):
    data, run = limner.open_dataset(tiny_dataset), limner.Run(tiny_run)
    captions = {"a": "a dog", "b": "two cats"}
    references = {name: [caption] for name, caption in captions.items()}
    for value in (
        data,
        data.splits["train"],
        data.vocabulary,
        run,
        run.checkpoint,
        run.checkpoint.model,
        run.captioner(),
        limner.check(data.info.source.images, captions=data.info.source.captions),
        limner.score(captions, references),
        limner.score(captions, references).evaluation,
        limner.compare(captions, captions, references=references),
    ):
        assert 10 < len(repr(value)) < 300, repr(value)
        assert repr(value).startswith(type(value).__name__)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: limner.evaluate(None), TypeError, "`model`: expected a model"),
        (lambda: limner.evaluate([]), ValueError, "`model`: expected at least one"),
        (lambda: limner.score(["a dog"], {"a": ["a dog"]}), TypeError, "a dict with image ids"),
        (lambda: limner.load().caption(None), TypeError, "expected a path, address"),
        (lambda: limner.load().features([]), ValueError, "`images`: expected at least one"),
        (
            lambda: list(limner.load().caption_all([], batch_size=0)),
            ValueError,
            "`batch_size` 0, .*expected 1 or more",
        ),
        (
            lambda: list(limner.load().caption_all([], on_error="ignore")),
            ValueError,
            "`on_error` 'ignore'",
        ),
        (lambda: limner.train("data", "none", resume=True), limner.InputError, "no run to resume"),
    ],
)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_text_is_one_reference():
    assert limner.score({"a": "a red dog"}, {"a": "a red dog"}).scores["ROUGE-L"] == 100


def test_a_run_takes_its_path_as_text(tiny_run):
    assert limner.Run(str(tiny_run)).history
    assert limner.Run(str(tiny_run)).checkpoint.model.params
