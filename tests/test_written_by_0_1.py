"""What limner 0.1.0 wrote is read as before, and its numbers are found again.

`written_by_0_1/make.py` says how the files were made. Numbers in float64 are found bit for bit
where NumPy and the processor are those that made them, elsewhere to rounding.
"""

import json
import os
import platform
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_features__
from safetensors.numpy import load_file

from limner.cli import main
from limner.data.opening import open_dataset
from limner.engine.numpy.engine import draw_mask
from limner.layers import SoftTargets
from limner.models import AttentionRNN, Batch, CaptioningRNN
from limner.training.captioning_solver import CaptioningSolver

FOLDER = Path(__file__).parent / "written_by_0_1"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
NUMBERS = load_file(FOLDER / "numbers.safetensors")

# What calls the package from inside.

WORDS = {w: i for i, w in enumerate(["<NULL>", "<START>", "<END>", "<UNK>", *"abcde"])}
SIZES = {"input_dim": 4, "wordvec_dim": 5, "hidden_dim": 6, "dtype": np.float64}
MODELS = {
    "rnn": (CaptioningRNN, {"cell_type": "rnn"}),
    "gru": (CaptioningRNN, {"cell_type": "gru"}),
    "lstm": (CaptioningRNN, {"cell_type": "lstm", "forget_bias": 1.0}),
    "lstm, 2 layers, tied": (
        CaptioningRNN,
        {"cell_type": "lstm", "num_layers": 2, "tied": True, "wordvec_dim": 6},
    ),
    "attention": (AttentionRNN, {"attention_dim": 3, "place_dim": 7}),
}


def new_model(name, rng):
    kind, options = MODELS[name]
    return kind(WORDS, rng=rng, **{**SIZES, **options})


def drawn_masks(model, rng):
    """Of dropout, for four images and six captions: embedding, features, output."""
    rates = {"embedding": 0.3, "features": 0.2, "output": 0.5}
    features = np.zeros((4, 3, 4) if model.reads_grid else (4, 4))
    batch = Batch(features, np.ones((6, 2), int), np.zeros(6, int))
    sites = model.dropout_sites(batch)
    return {site: draw_mask(rng, rates[site], sites[site], model.dtype) for site in sites}


def loss_and_grads(model, batch, everything):
    """The reference's; `everything` adds weights, smoothing, masks, inputs and soft targets."""
    first = batch["features"], batch["captions"], batch["image_idxs"]
    if not everything:
        return model.loss(Batch(*first))
    masks = {site: batch[f"masks/{site}"] for site in ("embedding", "features", "output")}
    soft = SoftTargets(batch["shared/words"], batch["shared/shares"])
    whole = Batch(*first, batch["weights"], batch["inputs"], soft)
    return model.loss(whole, masks=masks, label_smoothing=batch["smoothing"].item())


def train(model, data, rule, rng):
    """Twelve steps by the fast engine; returns the losses."""
    solver = CaptioningSolver(
        model,
        data,
        rule,
        {"learning_rate": 0.02},
        lr_decay=0.9,
        batch_size=10,
        num_epochs=4,
        verbose=False,
        rng=rng,
    )
    solver.train()
    return solver.loss_history


# What is compared.


def processor():
    """What decides the last bits: NumPy, its BLAS, and what both find in the processor."""
    features = [name for name, there in sorted(__cpu_features__.items()) if there]
    return [np.__version__, platform.machine(), os.environ.get("OPENBLAS_CORETYPE", ""), *features]


def assert_same(found, expected, name, exact=True):
    """Bit for bit on the processor that made the numbers, else 1e-12 of the largest of them."""
    assert found.shape == expected.shape, name
    assert found.dtype == expected.dtype, name
    if exact and processor() == EXPECTED["processor"]:
        np.testing.assert_array_equal(found, expected, err_msg=name)
    scale = max(np.abs(expected).max(), 1e-3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * scale, err_msg=name)


def numbers_of(prefix):
    """Those whose names begin so, without it."""
    prefix += "/"
    return {k.removeprefix(prefix): v for k, v in NUMBERS.items() if k.startswith(prefix)}


def assert_all_same(found, prefix, exact=True):
    expected = numbers_of(prefix)
    assert found.keys() == expected.keys()
    for name, number in expected.items():
        assert_same(np.asarray(found[name]), number, f"{prefix}/{name}", exact)


@pytest.mark.parametrize("name", MODELS)
def test_initial_parameters(name):
    assert_all_same(new_model(name, np.random.default_rng(7)).params, f"initial/{name}/rng")
    np.random.seed(7)
    assert_all_same(new_model(name, None).params, f"initial/{name}/global")


@pytest.mark.parametrize("name", MODELS)
def test_dropout_masks(name):
    rng = np.random.default_rng(11)
    model = new_model(name, rng)
    rng.standard_normal(4), rng.uniform(0.5, 2, 4)
    assert_all_same(drawn_masks(model, rng), f"batch/{name}/masks")


@pytest.mark.parametrize("way", ["plain", "everything"])
@pytest.mark.parametrize("name", MODELS)
def test_loss_and_gradients(name, way):
    batch, model = numbers_of(f"batch/{name}"), new_model(name, np.random.default_rng(0))
    for param in model.params:
        model.params[param] = batch[f"params/{param}"]
    model.feature_mean, model.feature_std = batch["mean"], batch["std"]
    loss, grads = loss_and_grads(model, batch, way == "everything")
    assert_same(np.asarray(loss), NUMBERS[f"loss/{name}/{way}"], "loss")
    assert_all_same(grads, f"grads/{name}/{way}")


RULES = ("sgd", "sgd_momentum", "rmsprop", "adam", "adamw")


@pytest.mark.parametrize(
    ("name", "rule"),
    [*((name, "adam") for name in MODELS), *(("lstm", rule) for rule in RULES if rule != "adam")],
)
def test_parameters_after_twelve_steps(name, rule):
    rng = np.random.default_rng(13)
    model = new_model(name, rng)
    data = {
        "train_captions": np.tile(NUMBERS[f"batch/{name}/captions"], (5, 1)),
        "train_image_idxs": rng.integers(10, size=30),
        "train_features": rng.standard_normal((10, 3, 4) if name == "attention" else (10, 4)),
    }
    losses = train(model, data, rule, rng)
    exact = name != "attention"  # whose sums may be taken in another order
    assert_same(np.array(losses), NUMBERS[f"trained/{name}/{rule}/losses"], "losses", exact)
    assert_all_same(model.params, f"trained/{name}/{rule}/params", exact)


@pytest.fixture
def run(capsys):
    """Run a command; returns (status, stdout, stderr)."""

    def call(*arguments):
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


DATASETS = {
    "pooled": "--dtype float16",
    "grid": "--features grid --size 64",
    "both": "--features both --pca 2 --size 64",
}
SHAPES = {"pooled": (1280,), "grid": (4, 1819), "both": (2,)}


@pytest.fixture
def dataset(request, tmp_path):
    """A copy of a dataset, to be written to."""
    return shutil.copytree(FOLDER / "datasets" / request.param, tmp_path / request.param)


@pytest.mark.parametrize("dataset", DATASETS, indirect=True)
def test_dataset_is_what_it_was(dataset, run):
    opened = open_dataset(dataset)
    assert {name: len(split.image_ids) for name, split in opened.splits.items()} == {
        "train": 8,
        "dev": 3,
        "test": 3,
    }
    train = opened.splits["train"]
    assert train.features.shape == (8, *SHAPES[dataset.name])
    assert train.features.dtype == np.float16
    assert np.isfinite(train.features).all()
    assert np.std(np.asarray(train.features, np.float64), axis=0).max() > 0.1
    assert train.captions.shape[0] == 40
    assert (
        opened.reading(grid=dataset.name != "pooled").input_dim
        == {
            "pooled": 1280,
            "grid": 1819,
            "both": 2,
        }[dataset.name]
    )
    status, out, _ = run("info", dataset)
    assert status == 0
    assert opened.fingerprint[:12] in out
    assert f"{len(opened.vocabulary)} words" in out


@pytest.mark.parametrize("dataset", DATASETS, indirect=True)
def test_dataset_is_prepared_already(dataset, run):
    before = {file.name: file.read_bytes() for file in dataset.iterdir()}
    command = ["prepare", FOLDER / "pictures", "--out", dataset, "--ratio", "8,3,3"]
    status, _, err = run(*command, "--min-count", "2", *DATASETS[dataset.name].split())
    assert status == 0
    assert "prepared already, nothing to do" in err
    assert {file.name: file.read_bytes() for file in dataset.iterdir()} == before


SMALL = ["--epochs", "1", "--hidden-dim", "8", "--wordvec-dim", "8", "--batch-size", "20"]


@pytest.mark.parametrize("dataset", DATASETS, indirect=True)
@pytest.mark.parametrize("model", ["rnn", "attention"])
def test_dataset_trains(dataset, model, run, tmp_path):
    status, out, err = run("train", dataset, "--out", tmp_path / "run", *SMALL, "--model", model)
    if (dataset.name, model) in (("pooled", "attention"), ("grid", "rnn")):
        assert status == 2
        assert err.startswith(f"limner: {dataset}: ")
    else:
        assert status == 0, err
        assert out.splitlines()[-1] == f"report: {tmp_path / 'run' / 'report.html'}"


CHECKPOINTS = ["rnn", "gru", "lstm", "attention", "no-kind"]


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_checkpoint_is_what_it_was(name, run):
    status, out, _ = run("info", FOLDER / "checkpoints" / f"{name}.safetensors")
    assert status == 0
    titles = {"lstm": "2-layer LSTM", "attention": "LSTM with attention", "no-kind": "GRU"}
    assert f"model: {titles.get(name, name.upper())}, " in out
    assert "scores on dev: BLEU-1 " in out


CAPTIONS = {
    "greedy": "--beam-size 1",
    "beam 3": "",
    "beam 5, forced": "--beam-size 5 --force red",
    "groups": "--beam-size 4 --groups 2 --n-best 2",
    "drawn": "--temperature 0.8 --top-k 20 --top-p 0.9 --seed 3",
    **{
        f"{name}.safetensors": f"--min-length 4 --model {FOLDER}/checkpoints/{name}.safetensors"
        for name in CHECKPOINTS
    },
}


@pytest.mark.parametrize("way", CAPTIONS)
def test_captions(way, run):
    images = sorted((FOLDER / "pictures" / "images").iterdir())[:6]
    status, out, _ = run("caption", "--json", *images, *CAPTIONS[way].split())
    assert status == 0
    found = [json.loads(line) for line in out.splitlines()]
    expected = EXPECTED["captions"][way]
    assert [line["caption"] for line in found] == [caption for caption, _ in expected]
    scores = [score for _, score in expected]
    assert [line["score"] for line in found] == pytest.approx(scores, abs=2e-4)


@pytest.mark.parametrize("stopped", sorted(folder.name for folder in (FOLDER / "runs").iterdir()))
def test_stopped_run_ends_as_undisturbed(stopped, run, tmp_path):
    dataset = shutil.copytree(FOLDER / "datasets" / "both", tmp_path / "both")
    folder = shutil.copytree(FOLDER / "runs" / stopped, tmp_path / "run")
    name, _, step = stopped.rpartition("-")
    expected = EXPECTED["runs"][name]
    before = load_file(folder / "last.safetensors")
    assert len(before["solver/loss_history"]) == int(step)

    status, out, err = run("train", dataset, "--out", folder, "--resume")
    assert status == 0, err
    assert out.splitlines()[-1] == f"report: {folder / 'report.html'}"
    after = load_file(folder / "last.safetensors")
    np.testing.assert_allclose(after["solver/loss_history"], expected["losses"], rtol=1e-4)
    assert_same_history(folder / "history.jsonl", expected["history"])
    for param, size in expected["sizes"].items():
        assert np.abs(after[param]).mean() == pytest.approx(size, rel=1e-4), param
        assert (after[param] != before[param]).any(), param


def assert_same_history(file, expected):
    """Every line, less the seconds."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == len(expected)
    for line, other in zip(lines, expected, strict=True):
        assert line.keys() - {"seconds"} == other.keys()
        for key in other.keys() - {"validation"}:
            assert line[key] == pytest.approx(other[key], rel=1e-4)
        if "validation" in other:
            assert line["validation"] == pytest.approx(other["validation"], abs=0.01)
