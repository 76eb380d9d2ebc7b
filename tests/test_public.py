"""The public surface, on purpose: a change here is a change for users."""

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

import limner

PUBLIC = [
    "Assessment",
    "AttentionRNN",
    "Caption",
    "Captioner",
    "CaptioningRNN",
    "CaptioningSolver",
    "Checkpoint",
    "Comparison",
    "Dataset",
    "Decoding",
    "DecodingConfig",
    "Evaluation",
    "ImageLimits",
    "InputError",
    "LimnerError",
    "Run",
    "Vocabulary",
    "attention_map",
    "check",
    "compare",
    "evaluate",
    "explain",
    "load",
    "load_checkpoint",
    "open_dataset",
    "prepare",
    "save_checkpoint",
    "score",
    "train",
]
NEED = {"limner.backbones.torch_weights": "torch"}
"""Modules whose examples need an extra."""

MODULES = [name for _, name, _ in pkgutil.walk_packages(limner.__path__, "limner.")]


def test_public_names():
    assert limner.__all__ == PUBLIC
    assert all(hasattr(limner, name) for name in PUBLIC)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name, tmp_path, monkeypatch):
    """Every docstring's example gives what it says."""
    if name in NEED:
        pytest.importorskip(NEED[name], reason=f"the extra {NEED[name]} is not here")
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert result.failed == 0


def test_an_import_is_quick_and_brings_no_heavy_library():
    code = "import limner, sys; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"onnxruntime", "matplotlib", "torch"} & set(done.stdout.split())
