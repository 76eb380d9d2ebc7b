import numpy as np
import pytest
from safetensors.numpy import save_file

from checkpoint_files import change_facts
from limner.backbones.info import BackboneInfo
from limner.checkpoint import CheckpointInfo, load_checkpoint, save_checkpoint
from limner.errors import InputError
from limner.models import CaptioningRNN
from limner.vocabulary import Vocabulary

VOCABULARY = Vocabulary.build([["a", "dog", "café"]])


@pytest.fixture
def model():
    return CaptioningRNN(VOCABULARY.word_to_idx, 4, 5, 6, "lstm", rng=np.random.default_rng(0))


def test_round_trip(tmp_path, model):
    path = tmp_path / "model.safetensors"
    info = CheckpointInfo(
        backbone=BackboneInfo(name="net", sha256="0"), scores={"dev": {"BLEU-4": 20.5}}
    )
    save_checkpoint(path, model, info, {"optimizer/b/m": np.arange(3.0), "solver/t": np.array(7)})
    again = load_checkpoint(path)
    assert again.vocabulary == VOCABULARY
    assert again.info == info
    assert again.model.config == model.config
    for name, param in model.params.items():
        np.testing.assert_array_equal(again.model.params[name], param)
    assert again.state["optimizer/b/m"].tolist() == [0, 1, 2]
    assert again.state["solver/t"].shape == ()
    assert again.state["solver/t"].item() == 7


def test_half_precision_halves_the_file_and_loads_as_float32(tmp_path, model):
    full, half = tmp_path / "full.safetensors", tmp_path / "half.safetensors"
    save_checkpoint(full, model)
    save_checkpoint(half, model, dtype=np.float16)
    params = load_checkpoint(half).model.params
    assert {param.dtype for param in params.values()} == {np.dtype(np.float32)}
    np.testing.assert_allclose(params["Wx"], model.params["Wx"], rtol=1e-3)
    saved = full.stat().st_size - half.stat().st_size
    assert saved == pytest.approx(2 * model.num_parameters, rel=0.05)


def damage(path, how):
    content = path.read_bytes()
    if how == "truncated":
        path.write_bytes(content[:-100])
    elif how == "cut in the header":
        path.write_bytes(content[:40])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "a text":
        path.write_text("weights, honestly")
    elif how == "another program's":
        save_file({"x": np.zeros(3)}, path)
    elif how == "another version":
        change_facts(path, lambda facts: facts.update(schema_version=99))
    elif how == "facts of another type":
        change_facts(path, lambda facts: facts.update(scores={"dev": "good"}))
    elif how == "missing":
        path.unlink()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("truncated", "not a checkpoint, or a damaged one"),
        ("cut in the header", "not a checkpoint, or a damaged one"),
        ("empty", "not a checkpoint, or a damaged one"),
        ("a text", "not a checkpoint, or a damaged one"),
        ("another program's", "not one of limner's checkpoints"),
        ("another version", "schema version 99, and this limner reads version 1"),
        ("facts of another type", r"the checkpoint is inconsistent .*object.*scores"),
        ("missing", "no such checkpoint"),
    ],
)
def test_invalid_checkpoints_are_refused(tmp_path, model, how, message):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model)
    damage(path, how)
    with pytest.raises(InputError, match=message) as caught:
        load_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_parameter_of_another_shape(tmp_path, model):
    path = tmp_path / "model.safetensors"
    model.params["b"] = np.zeros(3, np.float32)
    save_checkpoint(path, model)
    with pytest.raises(InputError, match=r"b is \(3,\), expected \(24,\)"):
        load_checkpoint(path)


def test_failed_write_keeps_the_old_file(tmp_path, model, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model, CheckpointInfo(scores={"first": {}}))
    monkeypatch.setattr("limner.io.os.fsync", _no_space)
    with pytest.raises(Exception, match="No space left"):
        save_checkpoint(path, model, CheckpointInfo(scores={"second": {}}))
    assert load_checkpoint(path).info.scores == {"first": {}}


def _no_space(_):
    raise OSError(28, "No space left on device")
