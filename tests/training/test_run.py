"""A training run's folder; stopped at any moment, it ends as if it had never stopped."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from checkpoint_files import change_facts
from limner.captioner import Captioner
from limner.checkpoint import TrainedOn, load_checkpoint, save_checkpoint
from limner.cli import main
from limner.data.opening import open_dataset
from limner.data.preparing.config import PrepareConfig
from limner.data.preparing.prepare import prepare
from limner.decoding import GREEDY
from limner.errors import InputError, LimnerError
from limner.evaluation.evaluate import evaluate
from limner.evaluation.explanation import explain
from limner.models import AttentionConfig, RNNConfig
from limner.training import validation
from limner.training.config import TrainConfig, read_config
from limner.training.history import read_history
from limner.training.run import TrainingRun
from limner.training.validation import rank
from limner.vocabulary import tokenize

CONFIG = TrainConfig(
    model=RNNConfig(wordvec_dim=6, hidden_dim=8),
    learning_rate=0.02,
    batch_size=8,
    epochs=3,
    checkpoint_seconds=0.0,
)
STEPS = 12  # an epoch: 100 captions in batches of 8


@pytest.fixture(scope="session")
def dataset(tiny_dataset):
    return open_dataset(tiny_dataset)


def start(dataset, folder, config=CONFIG, resume=False, on_step=None):
    lines = []
    run = TrainingRun(dataset, folder, config, resume, on_step, lines.append)
    run.train()
    return run, lines


@pytest.fixture(scope="session")
def undisturbed(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    return folder, *start(dataset, folder)


def history_of(folder):
    """What must be the same in every run: all but the time it took."""
    return [msgspec.structs.replace(line, seconds=0) for line in read_history(folder)]


def facts_of(checkpoint):
    """What a checkpoint says, without the time it took."""
    info = msgspec.to_builtins(checkpoint.info)
    info["training"].pop("seconds")
    info.get("solver", {}).pop("seconds", None)
    return info


def assert_same_run(folder, other):
    for name in ("best.safetensors", "last.safetensors"):
        found, expected = load_checkpoint(folder / name), load_checkpoint(other / name)
        assert facts_of(found) == facts_of(expected)
        assert found.model.params.keys() == expected.model.params.keys()
        for key, param in expected.model.params.items():
            np.testing.assert_array_equal(found.model.params[key], param)
        assert found.state.keys() == expected.state.keys()
        for key, array in expected.state.items():
            np.testing.assert_array_equal(found.state[key], array)
    assert history_of(folder) == history_of(other)
    assert (folder / "config.toml").read_text() == (other / "config.toml").read_text()


def test_files_of_a_run(undisturbed, dataset):
    folder, run, lines = undisturbed
    settings = tomllib.loads((folder / "config.toml").read_text())
    assert settings == CONFIG.to_flat()
    assert read_config(folder / "config.toml") == CONFIG

    history = read_history(folder)
    losses = run.solver.loss_history
    assert len(losses) == 3 * STEPS
    assert np.mean(losses[-STEPS:]) < 0.85 * losses[0]  # it learns
    steps = [line for line in history if line.loss is not None]
    assert [(line.iteration, line.loss) for line in steps] == [
        (step, losses[step - 1]) for step in (10, 20, 30)
    ]
    epochs = [line for line in history if line.validation]
    assert [line.epoch for line in epochs] == [1.0, 2.0, 3.0]
    means = [np.mean(losses[first : first + STEPS]) for first in (0, STEPS, 2 * STEPS)]
    assert [line.mean_loss for line in epochs] == means
    assert len(lines) == 3
    assert lines[0].startswith(f"epoch 1 of 3: loss {means[0]:.3f}, dev CIDEr ")

    last, best = (load_checkpoint(folder / f"{name}.safetensors") for name in ("last", "best"))
    for name, param in run.model.params.items():
        np.testing.assert_array_equal(last.model.params[name], param)
    scores = [line.validation for line in epochs]
    top = max(range(3), key=lambda epoch: rank(scores[epoch]))  # the first, where two are best
    assert best.info.scores == {"dev": scores[top]}
    assert best.info.training["iteration"] == (top + 1) * STEPS
    assert evaluate(best.model, dataset).scores == pytest.approx(scores[top])
    assert best.info.dataset == TrainedOn(path=str(dataset.path), fingerprint=dataset.fingerprint)
    assert best.backbone == dataset.info.backbone
    assert best.vocabulary == dataset.vocabulary
    assert best.state == {}


def test_the_seed_is_all_that_chance_is(undisturbed, dataset, tmp_path):
    folder, _, _ = undisturbed
    start(dataset, tmp_path / "same")
    assert_same_run(tmp_path / "same", folder)
    other, _ = start(dataset, tmp_path / "other", CONFIG.changed(seed=1))
    assert other.solver.loss_history[0] != undisturbed[1].solver.loss_history[0]


class StoppedError(Exception):
    pass


def stopped(dataset, folder, config, after):
    def stop(run):
        if run.solver.iteration == after:
            raise StoppedError

    with pytest.raises(StoppedError):
        start(dataset, folder, config, on_step=stop)


@pytest.mark.parametrize("after", [1, 10, 17, STEPS, 2 * STEPS + 1])
@pytest.mark.parametrize("checkpoint_seconds", [0.0, 1e6])
def test_stopped_run_is_resumed(undisturbed, dataset, tmp_path, after, checkpoint_seconds):
    config = CONFIG.changed(checkpoint_seconds=checkpoint_seconds)
    stopped(dataset, tmp_path / "run", config, after)
    # a step's state is kept at once; without that, the last epoch's is
    kept = after - (after == STEPS) if checkpoint_seconds == 0 else (after - 1) // STEPS * STEPS
    steps = []
    start(dataset, tmp_path / "run", CONFIG, True, lambda run: steps.append(run.solver.iteration))
    assert steps == list(range(kept + 1, 3 * STEPS + 1))
    assert_same_run(tmp_path / "run", undisturbed[0])


def test_a_torn_line_of_history_is_survived(undisturbed, dataset, tmp_path):
    stopped(dataset, tmp_path / "run", CONFIG, 17)
    history = tmp_path / "run" / "history.jsonl"
    with history.open("a") as file:
        file.write('{"iteration": 17, "lo')
    assert [line.iteration for line in read_history(tmp_path / "run")] == [10, 12]
    start(dataset, tmp_path / "run", CONFIG, resume=True)
    assert_same_run(tmp_path / "run", undisturbed[0])


def test_a_line_of_history_that_only_lacks_its_end(undisturbed, dataset, tmp_path):
    stopped(dataset, tmp_path / "run", CONFIG, 17)
    history = tmp_path / "run" / "history.jsonl"
    history.write_text(history.read_text().removesuffix("\n"))
    start(dataset, tmp_path / "run", CONFIG, resume=True)
    assert_same_run(tmp_path / "run", undisturbed[0])


def test_more_epochs_for_a_finished_run(dataset, tmp_path, undisturbed):
    start(dataset, tmp_path / "run", CONFIG.changed(epochs=2))
    start(dataset, tmp_path / "run", CONFIG, resume=True)
    assert_same_run(tmp_path / "run", undisturbed[0])


# `limner` as people start it, with a rest after every step.
SLOWLY = """
import sys, time
from limner.cli import main
from limner.training.solver import Solver
draw = Solver._draw
Solver._draw = lambda self: (time.sleep(0.05), draw(self))[1]
sys.exit(main())
"""


def test_killed_run_is_resumed(undisturbed, tiny_dataset, tmp_path, capsys):
    folder = tmp_path / "run"
    (tmp_path / "settings.toml").write_text((undisturbed[0] / "config.toml").read_text())
    arguments = ["train", str(tiny_dataset), "--out", str(folder)]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOWLY, *arguments, "--config", str(tmp_path / "settings.toml")],
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (folder / "history.jsonl").exists() and len(read_history(folder)) >= 2:
            break
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    kept = load_checkpoint(folder / "last.safetensors").info.training["iteration"]
    assert 10 <= kept < 3 * STEPS
    assert main([*arguments, "--resume"]) == 0
    assert_same_run(folder, undisturbed[0])
    assert (folder / "report.html").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_the_state(number, undisturbed, tiny_dataset, tmp_path):
    folder = tmp_path / "run"
    settings = tmp_path / "settings.toml"
    settings.write_text(
        (undisturbed[0] / "config.toml")
        .read_text()
        .replace("checkpoint_seconds = 0.0", "checkpoint_seconds = 1000.0")
    )
    command = ["train", str(tiny_dataset), "--out", str(folder), "--config", str(settings)]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOWLY, *command], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (
        (folder / "history.jsonl").exists() and len(read_history(folder)) >= 1
    ):
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    step = load_checkpoint(folder / "last.safetensors").info.training["iteration"]
    assert f"stopped and saved at step {step}; resume with: limner train" in errors
    assert "Traceback" not in errors
    again = errors.strip().splitlines()[-1].partition("resume with: ")[2]
    assert main([*shlex.split(again)[1:], "--checkpoint-seconds", "0"]) in (0, 2)
    resumed, _ = start(
        open_dataset(tiny_dataset),
        folder,
        CONFIG.changed(checkpoint_seconds=1000.0),
        resume=True,
    )
    for name, param in undisturbed[1].model.params.items():
        np.testing.assert_array_equal(resumed.model.params[name], param)


EVERYTHING = {
    "dropout_embedding": 0.3,
    "dropout_features": 0.2,
    "dropout_output": 0.4,
    "label_smoothing": 0.1,
    "clip_norm": 5.0,
    "update_rule": "adamw",
    "weight_decay": 0.01,
    "schedule": "one-cycle",
    "warmup": 0.3,
    "standardise": True,
    "forget_bias": 1.0,
    "scheduled_sampling": 0.5,
    "critical_epochs": 2,
    "average": 2,
}


OPTIONS = {
    "rnn": {"num_layers": 2, "tied": True, "wordvec_dim": 8},
    "attention": {"attention_dim": 4, "place_dim": 5},
}


@pytest.fixture(scope="session")
def grid_dataset(drawn, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "grid"
    job = PrepareConfig(
        source=drawn / "images",
        out=out,
        captions=drawn / "captions.csv",
        min_count=2,
        features="grid",
        size=96,
        views=2,
    )
    return prepare(job, lambda line: None)


def config_of(model):
    plain = CONFIG.to_flat()
    return TrainConfig.from_flat(
        {
            **plain,
            **EVERYTHING,
            "model": model,
            **OPTIONS[model],
        }
    )


@pytest.mark.parametrize("after", [17, 47])
@pytest.mark.parametrize("model", ["rnn", "attention"])
def test_stopped_run_with_all_options_is_resumed(model, after, dataset, grid_dataset, tmp_path):
    data, config = grid_dataset if model == "attention" else dataset, config_of(model)
    teacher = msgspec.structs.replace(config, epochs=1, critical_epochs=0, average=0)
    start(data, tmp_path / "teacher", teacher)
    teachers = [str(tmp_path / "teacher")]
    config = msgspec.structs.replace(config, scheduled_sampling=0.0, teachers=teachers)
    _, lines = start(data, tmp_path / "whole", config)
    assert lines[0].startswith("computing the soft targets of 1 model: ")
    assert lines[3].startswith("epoch 3 of 5: loss")
    assert lines[5].startswith("epoch 5 of 5: reward")
    assert lines[6].startswith("mean of the last 2 epochs: dev CIDEr")
    stopped(data, tmp_path / "run", config, after)
    start(data, tmp_path / "run", config, resume=True)
    assert_same_run(tmp_path / "run", tmp_path / "whole")
    trained = load_checkpoint(tmp_path / "run" / "best.safetensors").model
    features = np.asarray(data.splits["train"].features, np.float64).reshape(-1, data.input_dim)
    np.testing.assert_allclose(trained.feature_mean, features.mean(axis=0), atol=1e-5)
    std = features.std(axis=0)
    np.testing.assert_allclose(trained.feature_std[std > 1e-3], std[std > 1e-3], rtol=1e-3)
    image = data.image_file(data.splits["dev"].image_ids[0])
    caption = Captioner.load(tmp_path / "run").caption(image)
    assert caption.score < 0


def test_stopped_run_with_scheduled_sampling_is_resumed(dataset, tmp_path):
    config = CONFIG.changed(scheduled_sampling=0.5)
    start(dataset, tmp_path / "whole", config)
    stopped(dataset, tmp_path / "run", config, 17)
    start(dataset, tmp_path / "run", config, resume=True)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_the_mean_of_the_last_epochs(dataset, tmp_path, monkeypatch):
    ranks = iter(range(9, 0, -1))
    monkeypatch.setattr(
        "limner.training.validation.rank", lambda scores: [next(ranks)]
    )  # every one is better
    config = CONFIG.changed(average=2)
    folder = tmp_path / "run"
    run, lines = start(dataset, folder, config)
    assert lines[-1].startswith("mean of the last 2 epochs: dev CIDEr")
    assert lines[-1].endswith("(best so far)")
    assert sorted(file.name for file in folder.glob("epoch-*")) == [
        "epoch-2.safetensors",
        "epoch-3.safetensors",
    ]
    members = [load_checkpoint(folder / f"epoch-{i}.safetensors").model.params for i in (2, 3)]
    best = load_checkpoint(folder / "best.safetensors").model.params
    for name, param in run.model.params.items():
        np.testing.assert_allclose(best[name], (members[0][name] + members[1][name]) / 2, rtol=1e-5)
        np.testing.assert_array_equal(param, members[1][name])


def test_self_critical_training_needs_references(dataset, tmp_path):
    without = replace(dataset, references={"dev": dataset.references["dev"]})
    config = CONFIG.changed(critical_epochs=1)
    with pytest.raises(InputError, match="no raw references, and critical_epochs needs them"):
        TrainingRun(without, tmp_path / "run", config).train()


def test_features_that_a_model_cannot_read(dataset, grid_dataset, tmp_path):
    with pytest.raises(InputError, match=r"one vector an image, .* `features` grid, into another"):
        TrainingRun(dataset, tmp_path / "a", CONFIG.changed(model=AttentionConfig())).train()
    with pytest.raises(InputError, match=r"a grid of features, .* `features` pooled"):
        TrainingRun(grid_dataset, tmp_path / "b", CONFIG).train()
    with pytest.raises(ValueError, match="expected `wordvec_dim` 6 to equal `hidden_dim` 8"):
        CONFIG.changed(model=RNNConfig(wordvec_dim=6, hidden_dim=8, tied=True))


def test_characters_from_prepare_to_captions(drawn, tmp_path):
    out = tmp_path / "dataset"
    words = {"min_count": 2, "tokens": "char"}
    job = PrepareConfig(source=drawn / "images", out=out, captions=drawn / "captions.csv", **words)
    data = prepare(job, lambda line: None)
    assert data.vocabulary.of_characters
    first = data.splits["train"].captions[0]
    raw = data.references["train"][data.splits["train"].image_ids[0]][0]
    assert data.vocabulary.decode(first) == " ".join(tokenize(raw))
    model = RNNConfig(wordvec_dim=16, hidden_dim=64)
    config = CONFIG.changed(model=model, epochs=12, critical_epochs=1)
    start(data, tmp_path / "run", config)
    captioner = Captioner.load(tmp_path / "run")
    image = data.image_file(data.splits["dev"].image_ids[0])
    caption = captioner.caption(image)
    assert 2 < len(caption.text.split()) < 40
    said = [choice.word for choice in explain(captioner.model, caption.features, caption.text)]
    assert said == [*caption.text, "<END>"]
    short = captioner.caption(image, GREEDY.changed(max_length=2))
    assert len(short.text) <= 12


def test_characters_of_a_script_without_spaces(drawn, tmp_path):
    lines = [f"{file.name},いぬがはしる" for file in (drawn / "images").iterdir()]
    (tmp_path / "captions.csv").write_text("\n".join(["image,caption", *lines]), "utf-8")
    job = PrepareConfig(
        source=drawn / "images",
        out=tmp_path / "out",
        captions=tmp_path / "captions.csv",
        tokens="char",
    )
    dataset = prepare(job, lambda line: None)
    assert dataset.vocabulary.of_characters
    assert {*"いぬがはしる"} < {*dataset.vocabulary.idx_to_word}
    start(
        open_dataset(tmp_path / "out"),
        tmp_path / "run",
        CONFIG.changed(epochs=40, lr_decay=1, learning_rate=1e-2),
    )
    image = next((drawn / "images").iterdir())
    assert Captioner.load(tmp_path / "run").caption(image, GREEDY).text == "いぬがはしる"


def test_patience(dataset, tmp_path):
    config = CONFIG.changed(epochs=40, patience=2, learning_rate=1e-9)
    run, lines = start(dataset, tmp_path / "run", config)
    assert run.solver.epoch < 40
    assert "no better for 2 epochs: stopped early; the best was epoch" in lines[-1]
    again, more = start(dataset, tmp_path / "run", config, resume=True)
    assert more == []
    assert again.solver.epoch == run.solver.epoch


@pytest.mark.parametrize(
    ("different", "images", "told"),
    [(1, 12, True), (2, 12, False), (2, 2, False), (1, 2, False), (20, 1000, True)],
)
def test_collapse_is_reported(different, images, told, dataset, tmp_path, monkeypatch):
    captions = {str(i): f"a dog {i % different}" for i in range(images)}
    found = SimpleNamespace(scores={"CIDEr": 1.0}, captions=captions)
    monkeypatch.setattr("limner.training.validation.evaluate", lambda *arguments, **options: found)
    _, lines = start(dataset, tmp_path / "run", CONFIG.changed(epochs=1))
    line = f"only {different} different captions for {images} images"
    assert any(line in one for one in lines) == told


def test_divergence_stops_the_training(dataset, tmp_path):
    config = CONFIG.changed(learning_rate=100.0)
    with pytest.raises(LimnerError, match=r"the loss became .* parameter \w+ the largest") as told:
        start(dataset, tmp_path / "run", config)
    line = str(told.value)
    assert re.search(r"at step \d+; .* in last.safetensors: .* a lower `learning_rate`", line)
    load_checkpoint(tmp_path / "run" / "last.safetensors")


def test_run_in_a_dataset_folder_is_refused(dataset):
    with pytest.raises(InputError, match="contains a dataset; choose another `out`"):
        TrainingRun(dataset, dataset.path, CONFIG).train()


def test_best_mean_remains_best_after_resuming(dataset, tmp_path, monkeypatch):
    """The mean's score is kept with the state, and a worse epoch later does not take its place."""
    ciders = iter([50.0, 51.0, 52.0, 60.0, 55.0, 54.0])
    plain = validation.evaluate

    def evaluate(*arguments, **options):
        found = plain(*arguments, **options)
        scores = {"CIDEr": next(ciders)}
        return SimpleNamespace(scores=scores, captions=found.captions)

    monkeypatch.setattr("limner.training.validation.evaluate", evaluate)
    config = CONFIG.changed(average=2)
    _, lines = start(dataset, tmp_path / "run", config)
    assert lines[-1].endswith("60.0 (best so far)")
    mean = (tmp_path / "run" / "best.safetensors").read_bytes()
    more = msgspec.structs.replace(config, epochs=4)
    _, lines = start(dataset, tmp_path / "run", more, resume=True)
    assert not any("best so far" in line for line in lines)
    assert (tmp_path / "run" / "best.safetensors").read_bytes() == mean


def without(path, key=None, tensor=None):
    """The checkpoint, less one key of its facts, or one tensor."""
    checkpoint = load_checkpoint(path)
    checkpoint.state.pop(tensor, None)
    save_checkpoint(path, checkpoint.model, checkpoint.info, checkpoint.state)
    change_facts(path, lambda facts: facts.pop(key, None))


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ({"key": "training"}, r"the training state is inconsistent \(no 'iteration'\)"),
        ({"key": "dataset"}, "trained on an unknown dataset, not on"),
        ({"tensor": "optimizer/Wx/m"}, "no Wx/m in the state of the update rule"),
    ],
)
def test_incomplete_state_is_refused(undisturbed, dataset, tmp_path, lost, message):
    shutil.copytree(undisturbed[0], tmp_path / "run")
    without(tmp_path / "run" / "last.safetensors", **lost)
    with pytest.raises(InputError, match=message):
        start(dataset, tmp_path / "run", resume=True)


def test_a_folder_that_holds_a_run_is_refused(undisturbed, dataset):
    folder, _, _ = undisturbed
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match="contains a run already; continue it with `resume`"):
        TrainingRun(dataset, folder, CONFIG).train()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_another_dataset_is_refused(dataset, tmp_path):
    stopped(dataset, tmp_path / "run", CONFIG, 5)
    before = (tmp_path / "run" / "last.safetensors").read_bytes()
    other = replace(dataset, info=msgspec.structs.replace(dataset.info, fingerprint="another"))
    with pytest.raises(InputError, match=r"last\.safetensors: trained on .*not on the dataset"):
        TrainingRun(other, tmp_path / "run", CONFIG, resume=True).train()
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == before


def test_nothing_to_validate_on(dataset, tmp_path):
    alone = replace(dataset, splits={"train": dataset.splits["train"]})
    with pytest.raises(InputError, match="no split dev or val or test; it has train"):
        TrainingRun(alone, tmp_path / "run", CONFIG).train()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("cell_type", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("update_rule", ["sgd", "adam"])
@pytest.mark.parametrize("checkpoint_seconds", [0.0, 1e6])
def test_a_loss_that_is_no_number(dataset, tmp_path, cell_type, update_rule, checkpoint_seconds):
    config = TrainConfig(
        model=RNNConfig(cell_type=cell_type, wordvec_dim=6, hidden_dim=8),
        update_rule=update_rule,
        learning_rate=1e6,
        checkpoint_seconds=checkpoint_seconds,
        batch_size=8,
        epochs=1,
    )
    with pytest.raises(LimnerError, match=r"at step \d; .*train again with a lower") as error:
        start(dataset, tmp_path / "run", config)
    assert not isinstance(error.value, InputError)  # exit status 1
    last = tmp_path / "run" / "last.safetensors"
    assert ("is kept in last.safetensors" in str(error.value)) == last.exists()
    if last.exists():
        for param in load_checkpoint(last).model.params.values():
            assert np.isfinite(param).all()
    assert read_config(tmp_path / "run" / "config.toml") == config


def test_parameters_that_are_no_numbers_are_not_kept(dataset, tmp_path):
    def spoil(run):
        if run.solver.iteration == 4:
            run.model.params["b_vocab"][2] = np.inf
            run.model.params["b_vocab"][3] = np.nan

    with pytest.raises(LimnerError, match="at step 5; the last good state is kept in last"):
        start(dataset, tmp_path / "run", on_step=spoil)
    last = load_checkpoint(tmp_path / "run" / "last.safetensors")
    assert last.info.training["iteration"] == 4
    assert np.isfinite(last.model.params["b_vocab"]).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hiden_dim = 5", "hiden_dim: no such setting; there are model,"),
        ('hidden_dim = "5"', "hidden_dim 5: expected a whole number from 1"),
        ("hidden_dim = 0", "hidden_dim 0: expected a whole number from 1"),
        ("learning_rate = nan", "learning_rate nan: expected a number above 0"),
        ("learning_rate = inf", "learning_rate inf: expected a number above 0"),
        (
            'cell_type = "gnu"',
            "cell_type gnu: expected one of rnn, gru",
        ),
        ('model = "attention"\ncell_type = "gru"', "cell_type has no effect with model attention"),
        ("place_dim = 5", "place_dim has no effect with model rnn"),
        ("distillation = 0.7", "distillation has no effect with teachers unset"),
        ("average = 5\nepochs = 3", "average 5: expected 0, or from 2 to the 3 of the training"),
        ("warmup = 0.1", "warmup has no effect with schedule epochs: leave it out"),
        ("critical_bleu = 2.0", "critical_bleu has no effect with critical_epochs 0"),
        ("average = 1", "average 1: expected 0, or from 2 to the 10 of the training"),
        ('teachers = ["a"]\nscheduled_sampling = 0.5', "cannot be combined"),
        ("hidden_dim = ", "settings.toml: "),
        ("# \udce9", "settings.toml: "),
    ],
)
def test_settings_that_cannot_be_used(tmp_path, text, message):
    path = tmp_path / "settings.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=message) as error:
        read_config(path)
    assert str(error.value).startswith(f"{path}: ")


def test_settings_have_defaults(tmp_path):
    (tmp_path / "settings.toml").write_text('cell_type = "rnn"\nlearning_rate = 1\n')
    config = read_config(tmp_path / "settings.toml")
    assert config == TrainConfig(model=RNNConfig(cell_type="rnn"), learning_rate=1.0)
    assert (config.model.hidden_dim, config.update_rule) == (512, "adam")


def test_no_settings(tmp_path):
    with pytest.raises(InputError, match=r"no\.toml: cannot be read"):
        read_config(tmp_path / "no.toml")


def test_where_bleu_4_is_nothing_the_shorter_ones_choose():
    zero = {"BLEU-1": 20.0, "BLEU-2": 3.0, "BLEU-3": 0.0, "BLEU-4": 0.0}
    assert rank(zero | {"BLEU-2": 4.0}) > rank(zero) > rank({})
    assert rank(zero | {"BLEU-4": 0.1, "BLEU-1": 0.0}) > rank(zero)
