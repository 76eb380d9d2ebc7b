"""How the files of this folder were made: this script ran once, with limner 0.1.0.

    python tests/written_by_0_1/make.py

It is kept to say what the files are, not to be run again: with a later version they would no
longer be what 0.1.0 wrote. `tests/test_written_by_0_1.py` opens them.

pictures/      the source, 14 drawn pictures and their captions
datasets/      what `limner prepare` made of them
checkpoints/   models trained for three epochs
runs/          trainings stopped half-way
expected.json  the histories of the same trainings undisturbed; captions; the processor's name
numbers.safetensors   parameters, losses and gradients in float64
"""

import contextlib
import io
import json
import os
import platform
import shutil
from pathlib import Path

import numpy as np
from limner.run import StoppedError, TrainingRun, read_history
from limner.settings import TrainConfig
from limner.solver import CaptioningSolver
from numpy._core._multiarray_umath import __cpu_features__
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from limner.cli import main
from limner.data.opening import open_dataset
from limner.layers import Shared
from limner.models import AttentionRNN, CaptioningRNN, Dropout
from limner.shapes import write_folder

HERE = Path(__file__).resolve().parent
WORK = Path("/tmp/limner-0.1")  # the path that the files name

DATASETS = {
    "pooled": "--dtype float16",
    "grid": "--features grid --size 64",
    "both": "--features both --pca 2 --size 64",
}
RATIO = ["--ratio", "8,3,3", "--min-count", "2"]

SMALL = {"wordvec_dim": 8, "hidden_dim": 8, "learning_rate": 0.02, "batch_size": 8}
ATTENTION = {"model": "attention", "attention_dim": 4, "place_dim": 5}
EVERYTHING = {
    "standardise": True,
    "dropout_embedding": 0.1,
    "dropout_features": 0.2,
    "dropout_output": 0.3,
    "label_smoothing": 0.1,
    "clip_norm": 0.5,
    "update_rule": "adamw",
    "weight_decay": 0.01,
    "schedule": "one-cycle",
    "warmup": 0.3,
    "scheduled_sampling": 0.25,
    "critical_epochs": 2,
    "critical_learning_rate": 0.01,
    "critical_samples": 3,
    "average": 2,
    "forget_bias": 1.0,
    "epochs": 3,
    "seed": 3,
}
TWO_LAYERS = {"num_layers": 2, "tied": True}
PLAIN = {"standardise": True, "epochs": 3}
RUNS = {  # settings, and the steps after which it was stopped; an epoch has five
    "lstm": ({"epochs": 3, "lr_decay": 0.7}, [8]),
    "gru-momentum": ({**PLAIN, "cell_type": "gru", "update_rule": "sgd_momentum"}, [8]),
    "rnn-rmsprop": ({**PLAIN, "cell_type": "rnn", "update_rule": "rmsprop"}, [8]),
    "everything": ({**EVERYTHING, **TWO_LAYERS}, [8, 18]),
    "attention-everything": ({**EVERYTHING, **ATTENTION}, [18]),
    "taught": ({**PLAIN, "teachers": [str(WORK / "lstm")], "label_smoothing": 0.1}, [8]),
}

CHECKPOINTS = {
    "rnn": {"cell_type": "rnn"},
    "gru": {"cell_type": "gru"},
    "lstm": TWO_LAYERS,
    "attention": ATTENTION,
}

CAPTIONS = {
    "greedy": "--beam-size 1",
    "beam 3": "",
    "beam 5, forced": "--beam-size 5 --force red",
    "groups": "--beam-size 4 --groups 2 --n-best 2",
    "drawn": "--temperature 0.8 --top-k 20 --top-p 0.9 --seed 3",
}


def make_datasets() -> None:
    write_folder(WORK / "pictures", 14, size=64)
    for name, options in DATASETS.items():
        command = ["prepare", str(WORK / "pictures"), "--out", str(WORK / name)]
        assert main([*command, *RATIO, *options.split()]) == 0
        shutil.copytree(WORK / name, HERE / "datasets" / name)
    shutil.copytree(WORK / "pictures", HERE / "pictures")


def train(folder: Path, settings: dict, stop: int | None = None) -> None:
    """Train into a folder; with `stop`, its state is saved after that step."""

    def on_step(run: TrainingRun) -> None:
        if run.solver.iteration + 1 == stop:
            run.stop()

    config = TrainConfig(**{**SMALL, **settings})
    run = TrainingRun(
        open_dataset(WORK / "both"), folder, config, False, on_step, lambda line: None
    )
    with contextlib.suppress(StoppedError):
        run.train()


def make_runs() -> dict:
    expected = {}
    for name, (settings, stops) in RUNS.items():
        train(WORK / name, settings)
        tensors = load_file(WORK / name / "last.safetensors")
        expected[name] = {
            "history": [
                {key: value for key, value in line.items() if key != "seconds"}
                for line in read_history(WORK / name)
            ],
            "losses": tensors["solver/loss_history"].tolist(),
            "sizes": {  # of every parameter, at the end
                key: float(np.abs(tensor).mean())
                for key, tensor in tensors.items()
                if "/" not in key and not key.startswith("feature_")
            },
        }
        for stop in stops:
            folder = f"{name}-{stop}"
            train(HERE / "runs" / folder, settings, stop)
    return expected


def make_checkpoints() -> None:
    (HERE / "checkpoints").mkdir()
    for name, settings in CHECKPOINTS.items():
        train(WORK / f"{name}-checkpoint", {**PLAIN, **settings, "epochs": 10})
        best = WORK / f"{name}-checkpoint" / "best.safetensors"
        shutil.copy(best, HERE / "checkpoints" / f"{name}.safetensors")
    # the form of the first weeks: one kind of model, one layer, no standardisation
    newest = HERE / "checkpoints" / "gru.safetensors"
    with safe_open(newest, framework="numpy") as file:
        header = json.loads(file.metadata()["limner"])
    for name in ("kind", "num_layers", "tied"):
        del header["model"][name]
    tensors = {k: v for k, v in load_file(newest).items() if not k.startswith("feature_")}
    save_file(tensors, HERE / "checkpoints" / "no-kind.safetensors", {"limner": json.dumps(header)})


def captions_by(*options: str) -> list:
    """[caption, score] of the first pictures, as the command line gives them."""
    pictures = sorted((HERE / "pictures" / "images").iterdir())[:6]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["caption", "--json", *map(str, pictures), *options]) == 0
    lines = map(json.loads, out.getvalue().splitlines())
    return [[line["caption"], line["score"]] for line in lines]


def make_captions() -> dict:
    models = sorted((HERE / "checkpoints").iterdir())
    return {
        **{name: captions_by(*options.split()) for name, options in CAPTIONS.items()},
        **{model.name: captions_by("--min-length", "4", "--model", str(model)) for model in models},
    }


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


def new_model(name: str, rng: np.random.Generator | None):
    kind, options = MODELS[name]
    return kind(WORDS, rng=rng, **{**SIZES, **options})


def make_initial() -> dict:
    numbers = {}
    for name in MODELS:
        for way in ("rng", "global"):
            np.random.seed(7)
            model = new_model(name, np.random.default_rng(7) if way == "rng" else None)
            numbers |= {f"initial/{name}/{way}/{k}": v for k, v in model.params.items()}
    return numbers


CAPTION_IDS = np.array(
    [
        [1, 4, 5, 6, 2, 0],
        [1, 7, 8, 2, 0, 0],
        [1, 4, 0, 6, 7, 2],
        [1, 3, 3, 3, 3, 3],
        [0, 0, 0, 0, 0, 0],
        [1, 8, 2, 0, 0, 0],
    ]
)


def make_gradients() -> dict:
    numbers = {}
    for name in MODELS:
        rng = np.random.default_rng(11)
        model = new_model(name, rng)
        shape = (4, 3, 4) if model.reads_grid else (4, 4)
        model.feature_mean, model.feature_std = rng.standard_normal(4), rng.uniform(0.5, 2, 4)
        masks = model.draw_masks(Dropout(0.3, 0.2, 0.5), 4, 6, rng)
        batch = {
            "features": rng.standard_normal(shape),
            "captions": CAPTION_IDS,
            "image_idxs": np.array([0, 3, 3, 1, 0, 3]),
            "weights": rng.standard_normal(6),
            "smoothing": np.array(0.1),
            "masks/embedding": masks.embedding,
            "masks/features": masks.features,
            "masks/output": masks.output,
            "inputs": rng.integers(1, 9, size=(6, 5)),
            "shared/words": rng.permuted(np.tile(np.arange(9), (6, 5, 1)), axis=2)[:, :, :3],
            "shared/shares": rng.random((6, 5, 3)) / 4,
        }
        shared = Shared(batch["shared/words"], batch["shared/shares"])
        first = batch["features"], batch["captions"], batch["image_idxs"]
        ways = {
            "plain": model.loss(*first),
            "everything": model.loss(*first, batch["weights"], 0.1, masks, batch["inputs"], shared),
        }
        numbers |= {f"batch/{name}/{k}": v for k, v in batch.items()}
        numbers |= {f"batch/{name}/params/{k}": v for k, v in model.params.items()}
        numbers |= {
            f"batch/{name}/mean": model.feature_mean,
            f"batch/{name}/std": model.feature_std,
        }
        for way, (loss, grads) in ways.items():
            numbers[f"loss/{name}/{way}"] = np.asarray(loss)
            numbers |= {f"grads/{name}/{way}/{k}": v for k, v in grads.items()}
    return numbers


def make_trained() -> dict:
    """Parameters after twelve steps by the fast engine, the course's way of drawing."""
    numbers = {}
    rules = ("sgd", "sgd_momentum", "rmsprop", "adam", "adamw")
    for name, rule in [*((name, "adam") for name in MODELS), *(("lstm", rule) for rule in rules)]:
        rng = np.random.default_rng(13)
        model = new_model(name, rng)
        data = {
            "train_captions": np.tile(CAPTION_IDS, (5, 1)),
            "train_image_idxs": rng.integers(10, size=30),
            "train_features": rng.standard_normal((10, 3, 4) if model.reads_grid else (10, 4)),
        }
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
        numbers[f"trained/{name}/{rule}/losses"] = np.array(solver.loss_history)
        numbers |= {f"trained/{name}/{rule}/params/{k}": v for k, v in model.params.items()}
    return numbers


def processor() -> list[str]:
    """What decides the last bits: NumPy, its BLAS, and what both find in the processor."""
    features = [name for name, there in sorted(__cpu_features__.items()) if there]
    return [np.__version__, platform.machine(), os.environ.get("OPENBLAS_CORETYPE", ""), *features]


if __name__ == "__main__":
    make_datasets()
    runs = make_runs()
    make_checkpoints()
    facts = {"processor": processor(), "runs": runs, "captions": make_captions()}
    (HERE / "expected.json").write_text(json.dumps(facts, indent=1) + "\n")
    numbers = make_initial() | make_gradients() | make_trained()
    numbers = {name: np.asarray(number, order="C") for name, number in numbers.items()}
    save_file(numbers, HERE / "numbers.safetensors")
