import csv
import io
import json
import shutil

import numpy as np
import pytest

from limner.captioner import checkpoint_path
from limner.checkpoint import load_checkpoint
from limner.cli import main
from limner.data.opening import open_dataset
from limner.decoding import GREEDY, DecodingConfig
from limner.evaluation.evaluate import evaluate, score
from limner.metrics.scores import BY_CAPTION
from limner.models import Ensemble, RNNConfig
from limner.training.config import TrainConfig
from limner.training.run import TrainingRun

FEW = "limner: CIDEr is unreliable below 100 images; this set has {}\n"


@pytest.fixture
def run(capsys):
    """Runs limner without Java, and gives the exit status, stdout and stderr."""

    def call(*arguments):
        options = ["--no-java"] if arguments[0] in ("evaluate", "score") else []
        status = main([*map(str, arguments), *options])
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def rows(rng):
    """120 images: {id: caption} and {id: references}."""
    words = np.array(["a", "red", "dog", "cat", "runs", "sits", "on", "grass", "don't"])

    def sentence():
        return " ".join(words[rng.integers(len(words), size=rng.integers(3, 9))])

    references = {str(i): [sentence() for _ in range(3)] for i in range(120)}
    return {i: several[0] for i, several in references.items()}, references


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


# evaluate


def table(out):
    """The printed scores: {name: [cells]}."""
    lines = [line for line in out.splitlines() if line.startswith(("BLEU", *BY_CAPTION, "CIDEr"))]
    return {line.split()[0]: line.split()[1:] for line in lines}


def test_evaluate_scores_the_split(run, tiny_run, tiny_dataset, tmp_path):
    model, data = load_checkpoint(checkpoint_path(tiny_run)).model, open_dataset(tiny_dataset)
    train = evaluate(model, data, "train", DecodingConfig())
    given = [tiny_run / "best.safetensors", "--data", tiny_dataset, "--split", "train"]
    status, out, err = run("evaluate", *given)
    assert (status, err) == (0, FEW.format(len(train.captions)))
    printed = table(out)
    assert list(printed) == [*train.scores, "CIDEr-D"]
    for name, value in train.scores.items():
        assert printed[name][0] == f"{value:.2f}"
    for fact in (
        "scale: 0-100",
        "references: 5 an image",
        "tokenizer: ",
        f"decoding: {DecodingConfig()}",
    ):
        assert f"\n{fact}" in out
    for fact in ("model: ", "dataset: ", "limner: ", "images: "):
        assert f"\n{fact}" in out

    status, text, _ = run("evaluate", *given, "--json", "-")
    found = json.loads(text)
    assert found["captions"] == train.captions
    assert train.scores.items() <= found["scores"].items()
    assert found["provenance"]["decoding"] == str(DecodingConfig())
    assert run("evaluate", *given, "--json", tmp_path / "s.json")[1] == out
    assert json.loads((tmp_path / "s.json").read_text("utf-8")) == found


def test_evaluate_with_beams(run, tiny_run, tiny_dataset):
    model, data = load_checkpoint(checkpoint_path(tiny_run)).model, open_dataset(tiny_dataset)
    captions = evaluate(model, data, "train", how=GREEDY.changed(beam_size=4)).captions
    given = ["evaluate", tiny_run, "--split", "train", "--json", "-", "--length-penalty", 0]
    given += ["--no-repeat-ngram", 0]
    found = json.loads(run(*given, "--beam-size", 4)[1])
    assert found["captions"] == captions
    assert found["provenance"]["decoding"] == "beam search, 4 beams"
    assert run(*given, "--beam-size", 0)[0] == 2


def test_evaluate_ensemble(run, tiny_run, other_run, tiny_dataset):
    members = [load_checkpoint(checkpoint_path(one)).model for one in (tiny_run, other_run)]
    captions = evaluate(
        Ensemble(members), open_dataset(tiny_dataset), "train", DecodingConfig()
    ).captions
    found = json.loads(run("evaluate", tiny_run, other_run, "--split", "train", "--json", "-")[1])
    assert found["captions"] == captions
    assert " with " in found["provenance"]["model"]


def test_evaluate_from_any_folder(run, tiny_dataset, tmp_path, monkeypatch):
    shutil.copytree(tiny_dataset, tmp_path / "dataset")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run("train", "dataset", "--out", "run", "--hidden-dim", 8, "--epochs", 1)[0] == 0
    monkeypatch.chdir(tmp_path / "elsewhere")
    status, out, _ = run("evaluate", "../run")
    assert status == 0
    assert "dev, 2 images" in out


# score


def as_csv(path, header, pairs):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *pairs])
    return path


def candidate_files(folder, said):
    coco = [{"image_id": int(i), "caption": c} for i, c in said.items()]
    lines = [json.dumps({"image": i, "caption": c}) for i, c in said.items()]
    return {
        "COCO's results": write(folder / "coco.json", coco),
        "by id": write(folder / "by_id.json", said),
        "JSON lines": write(folder / "lines.jsonl", "\n".join(lines) + "\n"),
        "CSV": as_csv(folder / "table.csv", ["image_id", "caption"], said.items()),
        "limner's": write(folder / "limner.json", {"scores": {}, "captions": said}),
    }


def reference_files(folder, wanted):
    pairs = [(i, one) for i, several in wanted.items() for one in several]
    coco = [{"id": n, "image_id": int(i), "caption": c} for n, (i, c) in enumerate(pairs)]
    tokens = [f"{i}#{n}\t{c}" for i, several in wanted.items() for n, c in enumerate(several)]
    lines = [json.dumps({"id": int(i), "captions": several}) for i, several in wanted.items()]
    tsv = "\n".join(["image\tcaption", *(f"{i}\t{c}" for i, c in pairs)])
    return {
        "COCO's annotations": write(folder / "ann.json", {"images": [], "annotations": coco}),
        "by id": write(folder / "refs.json", wanted),
        "JSON lines": write(folder / "refs.jsonl", "\n".join(lines)),
        "CSV": as_csv(folder / "refs.csv", ["image", "caption"], pairs),
        "TSV": write(folder / "refs.tsv", tsv),
        "token file": write(folder / "refs.txt", "\n".join(tokens)),
    }


def test_score_formats_in_all_combinations(run, rows, tmp_path):
    said, wanted = rows
    expected = score(said, wanted).scores
    for candidates in candidate_files(tmp_path, said).values():
        for references in reference_files(tmp_path, wanted).values():
            status, out, err = run("score", candidates, references, "--json", "-")
            assert (status, err) == (0, "")
            found = json.loads(out)
            assert found["scores"] == pytest.approx(expected)
            assert list(found["per_image"]) == list(said)


def test_score_prints_provenance(run, rows, tmp_path):
    said, wanted = rows
    files = write(tmp_path / "c.json", said), write(tmp_path / "r.json", wanted)
    status, out, err = run("score", *files)
    assert (status, err) == (0, "")
    expected = score(said, wanted).scores
    assert {name: cells[0] for name, cells in table(out).items()} == {
        name: f"{value:.2f}" for name, value in expected.items()
    }
    assert "references: 3 an image, " in out


def test_score_training_adds_cider_d_and_seen(run, rows, tmp_path):
    said, wanted = rows
    files = write(tmp_path / "c.json", said), write(tmp_path / "r.json", wanted)
    found = json.loads(run("score", *files, "--training", files[1], "--json", "-")[1])
    assert found["scores"]["CIDEr-D"] == pytest.approx(found["scores"]["CIDEr"])
    assert found["diversity"]["seen"] == 100


def test_score_reports_unmatched_ids(run, rows, tmp_path):
    said, wanted = rows
    said |= {f"new{i}": "a dog" for i in range(7)}
    del said["3"]
    candidates = write(tmp_path / "c.json", said)
    references = write(tmp_path / "r.json", wanted)
    status, out, err = run("score", candidates, references)
    assert status == 0
    assert "119 images" in out
    assert err.splitlines() == [
        f"limner: {candidates}: 7 ids without references skipped: "
        "new0, new1, new2, new3, new4, ...",
        f"limner: {references}: 1 ids without caption skipped: 3",
    ]


def test_score_reads_standard_input(run, rows, tmp_path, monkeypatch):
    said, wanted = rows
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(said).encode())))
    status, out, _ = run("score", "-", write(tmp_path / "r.json", wanted), "--json", "-")
    assert status == 0
    assert json.loads(out)["captions"] == said


def test_score_warns_about_few_images(run, tmp_path):
    files = write(tmp_path / "c.json", {"1": ""}), write(tmp_path / "r.json", {"1": ["a dog"]})
    status, out, err = run("score", *files)
    assert (status, err) == (0, FEW.format(1))
    assert table(out)["BLEU-4"][0] == "0.00"


# compare


@pytest.fixture(scope="module")
def other_run(tiny_dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "other"
    config = TrainConfig(
        model=RNNConfig(wordvec_dim=8, hidden_dim=16), learning_rate=0.02, epochs=3
    )
    TrainingRun(open_dataset(tiny_dataset), folder, config, report=lambda line: None).train()
    return folder


def test_compare_two_runs(run, tiny_run, other_run, tiny_dataset):
    status, out, err = run("compare", tiny_run, other_run, "--split", "train")
    assert (status, err) == (0, "")
    data = open_dataset(tiny_dataset)
    for i, folder in enumerate((tiny_run, other_run)):
        model = load_checkpoint(checkpoint_path(folder)).model
        value = evaluate(model, data, "train", DecodingConfig()).scores["BLEU-1"]
        assert table(out)["BLEU-1"][i] == f"{value:.2f}"
    assert "dataset: " in out
    found = json.loads(run("compare", tiny_run, other_run, "--json", "-")[1])
    assert found["differences"].keys() == found["first"]["scores"].keys()


def test_compare_two_files(run, rows, tmp_path):
    said, wanted = rows
    worse = dict.fromkeys(said, "a dog")
    first, second = write(tmp_path / "1.json", worse), write(tmp_path / "2.json", said)
    references = write(tmp_path / "r.json", wanted)
    status, out, err = run("compare", first, second, "--references", references)
    assert (status, err) == (0, "")
    rows = [line for line in out.splitlines() if line.startswith("BLEU")]
    assert all(r.endswith("significant") and "not significant" not in r for r in rows)
    found = json.loads(run("compare", first, first, "--references", references, "--json", "-")[1])
    assert not any(one["real"] for one in found["differences"].values())


@pytest.mark.parametrize("option", [("--beam-size", 5), ("--split", "dev"), ("--data", "x")])
def test_compare_refuses_model_options_for_files(run, rows, tmp_path, option):
    path, references = write(tmp_path / "c.json", rows[0]), write(tmp_path / "r.json", rows[1])
    status, out, err = run("compare", path, path, "--references", references, *option)
    assert (status, out) == (2, "")
    assert err == f"limner: {option[0]} has no effect with --references: leave it out\n"


def test_compare_refuses_files_without_references(run, rows, tmp_path):
    path = write(tmp_path / "c.json", rows[0])
    status, _, err = run("compare", path, path)
    assert status == 2
    assert err == f"limner: {path}: to compare caption files, give --references\n"


def test_compare_refuses_different_images(
    run, rows, tiny_run, other_run, tiny_dataset, drawn, tmp_path
):
    said, wanted = rows
    fewer = write(tmp_path / "1.json", {"5": said["5"]}), write(tmp_path / "2.json", said)
    references = write(tmp_path / "r.json", wanted)
    status, _, err = run("compare", *fewer, "--references", references)
    assert status == 2
    assert "scores on different images cannot be compared" in err

    table, data = drawn / "captions.csv", tmp_path / "dataset"
    run("prepare", drawn / "images", "--captions", table, "--out", data, "--min-count", 1)
    run("train", data, "--out", tmp_path / "run", "--epochs", 1, "--hidden-dim", 8)
    status, _, err = run("compare", tiny_run, tmp_path / "run")
    assert status == 2
    assert "cannot be compared; give one with --data" in err
    assert run("compare", tiny_run, other_run, "--data", tmp_path / "dataset")[0] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--n-best", "2"], "--n-best 2 has no effect on scores: leave it out"),
        (["--force", "zyzzyva"], "'zyzzyva': not in the vocabulary; leave it out"),
        (["--force", "<UNK>"], "'<UNK>': captions cannot contain this word; leave it out"),
        (["--forbid", "zyzzyva"], "'zyzzyva': not in the vocabulary; leave it out"),
    ],
)
@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_evaluate_refuses_invalid_decoding_options(tiny_run, capsys, command, options, message):
    models = [str(tiny_run)] * (2 if command == "compare" else 1)
    assert main([command, *models, *options]) == 2
    assert message in capsys.readouterr().err
