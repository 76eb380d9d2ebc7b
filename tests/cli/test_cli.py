"""The commands from outside: what they print, and where. What goes wrong is in test_errors.py."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from limner.captioner import BUNDLED_CAPTIONER, Captioner
from limner.cli import main
from limner.training.config import read_config

LIMNER = [sys.executable, "-c", "import sys; from limner.cli import main; sys.exit(main())"]


def image(path, **save):
    Image.effect_noise((96, 64), 80).convert("RGB").save(path, **save)
    return path


@pytest.fixture
def run(capsys):
    """Run a command; returns (status, stdout, stderr)."""

    def call(*arguments):
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


# What works


def test_prepare_train_evaluate_caption(run, drawn, tmp_path):
    data, folder = tmp_path / "dataset", tmp_path / "run"
    table = drawn / "captions.csv"
    status, out, _ = run("prepare", drawn / "images", "--captions", table, "--out", data)
    assert status == 0
    assert out.splitlines()[-1] == f"dataset: {data}"
    small = ["--epochs", "1", "--hidden-dim", "8", "--wordvec-dim", "8", "--batch-size", "20"]
    status, out, err = run("train", data, "--out", folder, *small)
    assert status == 0
    assert out.splitlines()[-1] == f"report: {folder / 'report.html'}"
    assert err.startswith("epoch 1 of 1: loss ")
    status, out, _ = run("evaluate", folder, "--no-java", "--json", tmp_path / "scores.json")
    assert status == 0
    result = json.loads((tmp_path / "scores.json").read_text("utf-8"))
    [line] = [line for line in out.splitlines() if line.startswith("BLEU-1 ")]
    assert line.split()[1] == f"{result['scores']['BLEU-1']:.2f}"
    picked = sorted((drawn / "images").iterdir())[0]
    status, out, err = run("caption", "--model", folder, picked)
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 1


def test_caption_prints_names_of_several_images(run, tmp_path):
    paths = [image(tmp_path / "a.png"), image(tmp_path / "b.jpg")]
    status, out, err = run("caption", tmp_path)
    assert (status, err) == (0, "")
    assert [line.split("\t")[0] for line in out.splitlines()] == [str(path) for path in paths]


def test_caption_as_json(run, tmp_path):
    path = image(tmp_path / "a.png")
    status, out, _ = run("caption", "--json", path)
    row = json.loads(out)
    assert (status, row["image"]) == (0, str(path))
    assert set(row) == {"image", "caption", "score"}
    assert row["score"] < 0


def test_info_and_version(run, tiny_run, tiny_dataset):
    assert run("--version")[1].startswith("limner 0.")
    assert "vocabulary: " in run("info", tiny_run)[1]
    assert "fingerprint: " in run("info", tiny_dataset)[1]
    assert "onnxruntime: " in run("info")[1]


def test_main_ignores_broken_pipe(tmp_path):
    for number in range(40):
        image(tmp_path / f"{number:02}.png")
    command = " ".join(f"'{word}'" for word in [*LIMNER, "caption", str(tmp_path)])
    done = subprocess.run(
        f"{command} | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_caption_continues_after_unreadable_image(run, tmp_path):
    good, bad = image(tmp_path / "good.png"), tmp_path / "bad.jpg"
    bad.write_bytes(b"")
    status, out, err = run("caption", bad, good)
    assert status == 2
    assert out.startswith(f"{good}\t")
    assert len(err.splitlines()) == 1


def test_main_without_command_prints_help(run):
    status, out, err = run()
    assert (status, err) == (0, "")
    assert out.startswith("Usage: limner [OPTIONS] COMMAND")
    commands = [line.split()[0] for line in out.split("Commands:\n")[1].splitlines()]
    assert commands == [
        *("download", "check", "prepare", "train", "evaluate", "score", "compare"),
        *("caption", "demo", "info", "dataset"),
    ]


def sentences(model, images):
    return [found.text for found in Captioner.load(model).caption(images)]


def test_caption_uses_given_model(run, tiny_run, drawn):
    images = sorted((drawn / "images").iterdir())
    texts = sentences(tiny_run, images)
    assert len(set(texts)) > 1
    assert run("caption", "--model", tiny_run, images[2]) == (0, f"{texts[2]}\n", "")
    lines = [f"{name}\t{text}\n" for name, text in zip(images, texts, strict=True)]
    assert run("caption", "--model", tiny_run, drawn) == (0, "".join(lines), "")  # and those below
    _, out, err = run("caption", "--json", "--model", tiny_run, *images[:3])
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["image"] for row in rows] == [str(image) for image in images[:3]]
    assert [row["caption"] for row in rows] == texts[:3]
    assert err == ""


def test_train_options_override_config_file(run, tiny_dataset, tmp_path):
    (tmp_path / "settings.toml").write_text("warmup = 0.5\nhidden_dim = 8\n")
    begin = ["train", tiny_dataset, "--config", tmp_path / "settings.toml", "--epochs", 1]
    assert run(*begin, "--out", tmp_path / "cosine", "--schedule", "cosine")[0] == 0
    assert "warmup has no effect with schedule epochs" in run(*begin, "--out", tmp_path / "no")[2]
    (tmp_path / "settings.toml").write_text("epochs = 9\nhidden_dim = 8\nlr_decay = 0.5\n")
    out = ["--out", tmp_path / "run"]
    status, _, err = run(
        "train", tiny_dataset, *out, "--config", tmp_path / "settings.toml", "--epochs", 1
    )
    assert status == 0
    assert err.startswith("epoch 1 of 1: ")
    config = read_config(tmp_path / "run" / "config.toml")
    assert (config.epochs, config.model.hidden_dim, config.lr_decay) == (1, 8, 0.5)
    status, _, err = run("train", tiny_dataset, *out, "--resume", "--epochs", 2)
    assert status == 0
    assert err.startswith("epoch 2 of 2: ")
    status, _, err = run("train", tiny_dataset, *out, "--resume", "--hidden-dim", 9)
    assert status == 2
    assert "the settings of a run cannot change; only --epochs may be increased" in err


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_main_reports_full_disk(tiny_run):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*LIMNER, "info", str(tiny_run)], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr == b"limner: standard output: No space left on device\n"


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text are Linux's")
def test_caption_accepts_undecodable_file_name(run, tiny_run, tmp_path):
    name = tmp_path / "caf\udce9.png"  # as Python gives a name in Latin-1
    image(name)
    status, out, err = run("caption", "--json", "--model", tiny_run, name)
    assert (status, err) == (0, "")
    assert json.loads(out)["image"] == str(name)


def test_caption_explain_with_n_best(run, tmp_path):
    path = image(tmp_path / "noise.png")
    status, out, err = run("caption", path, "--beam-size", "4", "--n-best", "2", "--explain")
    assert (status, err) == (0, "")
    sentences = [line for line in out.splitlines() if not line.startswith("  ")]
    assert len(sentences) == 2
    words = [line.split()[0] for line in out.splitlines() if line.startswith("  ")]
    assert words == [word for sentence in sentences for word in (*sentence.split(), "<END>")]
    status, out, _ = run("caption", path, "--json", "--explain", "--temperature", "1", "--seed", 4)
    found = json.loads(out)
    assert [one["word"] for one in found["words"][:-1]] == found["caption"].split()
    assert run("caption", path, "--json", "--temperature", "1", "--seed", 4)[1] != ""


def test_caption_explain_of_truncated_caption(run, tmp_path):
    path = image(tmp_path / "noise.png")
    _, out, _ = run("caption", path, "--max-length", 2, "--explain")
    sentence, *words = out.splitlines()
    assert [line.split()[0] for line in words] == sentence.split()


def test_caption_forbid(run, tmp_path):
    path = image(tmp_path / "noise.png")
    first = run("caption", path)[1].split()
    assert first[0] not in run("caption", path, "--forbid", first[0])[1].split()
    assert len(run("caption", path, "--max-length", 3)[1].split()) <= 3
    assert len(run("caption", path, "--min-length", 15)[1].split()) >= 15


def test_caption_force_and_groups(run, tmp_path):
    path = image(tmp_path / "noise.png")
    forced = run("caption", path, "--force", "snow", "--force", "dog")[1].split()
    assert {"snow", "dog"} <= set(forced)
    several = ["caption", path, "--beam-size", 6, "--n-best", 3, "--groups", 3]
    lines = run(*several, "--diversity", 5)[1].splitlines()
    assert len(set(lines)) == 3


def test_caption_attention_writes_maps(run, tmp_path, tiny_run):
    path = image(tmp_path / "noise.png")
    status, _, err = run("caption", path, "--attention", tmp_path / "maps")
    assert (status, err) == (0, "")
    with Image.open(tmp_path / "maps" / "noise-attention.png") as drawn:
        assert drawn.width > 1000
    long = image(tmp_path / f"{'x' * 240}.png")
    both = ["--model", BUNDLED_CAPTIONER] * 2
    status, _, err = run("caption", long, path, *both, "--attention", tmp_path / "maps")
    assert (status, err) == (0, "")
    assert len(list((tmp_path / "maps").iterdir())) == 2
    status, _, err = run("caption", path, "--model", tiny_run, "--attention", tmp_path / "none")
    assert status == 2
    assert "this model has no attention weights" in err


def test_caption_with_ensemble(run, tmp_path, tiny_run):
    path = image(tmp_path / "noise.png")
    one = run("caption", path, "--model", tiny_run)
    assert one[0] == 0
    assert run("caption", path, "--model", tiny_run, "--model", tiny_run) == one
    status, _, err = run("caption", path, "--model", tiny_run, "--model", BUNDLED_CAPTIONER)
    assert status == 2
    assert "different vocabularies; name models trained on one dataset" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--groups", "2"], "--groups 2, --beam-size 3: expected a multiple of --groups, e.g. 4"),
        (["--force", "zyzzyva"], "'zyzzyva': not in the vocabulary; leave it out"),
        (["--forbid", "zyzzyva"], "'zyzzyva': not in the vocabulary; leave it out"),
        (["--forbid", "<END>"], "'<END>' cannot be forbidden: leave it out"),
        (["--forbid", ""], "--forbid: followed by an empty argument; give a value"),
        (["--force", "dog", "--forbid", "dog"], "--force and --forbid both have 'dog'"),
        (["--min-length", "40"], "--min-length 40: expected 0 to 29 words"),
        (["--top-k", "3"], "--top-k has no effect with --temperature unset: leave it out"),
        (["--temperature", "0"], "--temperature 0: expected a number from 0.01 to 100"),
        (["--temperature", "nan"], "--temperature nan: expected a number from 0.01 to 100"),
        (["--length-penalty", "inf"], "--length-penalty inf: expected a number from 0 to 100"),
        (["--force", "<UNK>"], "'<UNK>': captions cannot contain this word; leave it out"),
        (["--force", "<END>"], "'<END>': captions cannot contain this word; leave it out"),
        (
            ["--max-length", "20000"],
            "--max-length 20000: expected a whole number from 1 to 10,000",
        ),
        (["--attention", f"{__file__}/maps"], "test_cli.py: a file; give a folder"),
        (["--attention", __file__], "test_cli.py: a file; give a folder"),
    ],
)
def test_caption_refuses_conflicting_options(run, tmp_path, options, message):
    status, out, err = run("caption", image(tmp_path / "noise.png"), *options)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
