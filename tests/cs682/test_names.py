"""The course's import paths: limner's own objects, under other names, and nothing besides."""

import ast
import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cs682
import limner

PACKAGE = Path(cs682.__file__).parent

LAYERS = ["affine", "lstm", "lstm_step", "rnn", "rnn_step", "temporal_affine", "word_embedding"]
# The course's module: {limner's module: the names that the course's notebooks use}.
NAMES = {
    "cs682.rnn_layers": {
        "limner.layers": [f"{layer}_{way}" for layer in LAYERS for way in ("forward", "backward")]
        + ["sigmoid", "temporal_softmax_loss"]
    },
    "cs682.layers": {"limner.layers": ["affine_forward", "affine_backward"]},
    "cs682.gradient_check": {
        "limner.gradcheck": [
            "eval_numerical_gradient",
            "eval_numerical_gradient_array",
            "grad_check_sparse",
            "rel_error",
        ]
    },
    "cs682.optim": {"limner.optim": ["sgd", "sgd_momentum", "rmsprop", "adam"]},
    "cs682.captioning_solver": {"limner.training.course": ["CaptioningSolver"]},
    "cs682.classifiers.rnn": {"limner.models": ["CaptioningRNN"]},
    "cs682.coco_utils": {
        "limner.data.coco": ["load_coco_data", "sample_coco_minibatch"],
        "limner.vocabulary": ["decode_captions"],
    },
    "cs682.image_utils": {"limner.images.remote": ["image_from_url"]},
}


@pytest.mark.parametrize("course", NAMES)
def test_a_course_module_brings_limners_own_objects(course):
    names = {name: source for source, names in NAMES[course].items() for name in names}
    imported = {}
    exec(f"from {course} import *", imported)
    del imported["__builtins__"]
    assert sorted(imported) == sorted(names)
    for name, source in names.items():
        assert imported[name] is getattr(importlib.import_module(source), name)


def test_every_module_of_the_course_is_in_the_table():
    modules = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for path in PACKAGE.rglob("*.py")
        if path.name != "__init__.py"
    }
    assert modules == set(NAMES)


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix()
)
def test_no_logic_lives_in_the_course_package(path):
    docstring, *rest = ast.parse(path.read_text(encoding="utf-8")).body
    assert isinstance(docstring, ast.Expr)
    assert isinstance(docstring.value, ast.Constant)
    imported = []
    for statement in rest:
        if isinstance(statement, ast.ImportFrom):
            assert statement.module.startswith("limner.")
            assert not [alias for alias in statement.names if alias.asname]
            imported += [alias.name for alias in statement.names]
        else:
            assert isinstance(statement, ast.Assign)
            assert ast.unparse(statement.targets[0]) == "__all__"
            assert sorted(ast.literal_eval(statement.value)) == sorted(imported)


AUTORELOAD = """
import os
import sys
import time
from pathlib import Path

root = Path(sys.argv[1])
sys.path.insert(0, str(root))
sys.dont_write_bytecode = True
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()

def run(cell):
    result = shell.run_cell(cell)
    result.raise_error()
    return result.result

run('''
%load_ext autoreload
%autoreload 2
import numpy as np
from cs682.rnn_layers import *
from cs682.classifiers.rnn import CaptioningRNN
np.random.seed(0)
words = {'<NULL>': 0, '<START>': 1, '<END>': 2}
model = CaptioningRNN(words, 4, 3, 5, dtype=np.float64)
''')
layer = root / "limner" / "layers" / "rnn.py"
text = layer.read_text(encoding="utf-8")
assert text.count("next_h = np.tanh(") == 1
for seconds, factor in enumerate(("", "0.5 * ", "")):
    edited = text.replace("next_h = np.tanh(", f"next_h = {factor}np.tanh(")
    if seconds:  # autoreload notes what the file says when the first cell after the import runs
        layer.write_text(edited, encoding="utf-8")
        os.utime(layer, (0, time.time() + seconds))  # people edit more slowly than clocks tick
    ones = "np.ones((1, 1))"
    run(f"print('step', rnn_step_forward({ones}, {ones}, {ones}, {ones}, np.ones(1))[0].item())")
    run("print('loss', model.loss(np.ones((1, 4)), np.array([[1, 2]]))[0].item())")
"""


def test_autoreload_takes_up_an_edited_layer(tmp_path):
    """What a learner does: edit a layer, run the notebook's cell again."""
    pytest.importorskip("IPython", reason="%autoreload is IPython's (extra: dev)")
    for package in (cs682, limner):
        source = Path(package.__file__).parent
        shutil.copytree(
            source,
            tmp_path / source.name,
            ignore=shutil.ignore_patterns("bundled", "__pycache__"),
        )
    done = subprocess.run(
        [sys.executable, "-c", AUTORELOAD, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed = [line.split() for line in done.stdout.splitlines()]
    steps = [float(number) for kind, number in printed if kind == "step"]
    losses = [float(number) for kind, number in printed if kind == "loss"]
    assert steps == pytest.approx([0.995055, 0.497527, 0.995055], abs=1e-6)
    assert losses[0] == losses[2]
    assert abs(losses[1] - losses[0]) > 1e-6
