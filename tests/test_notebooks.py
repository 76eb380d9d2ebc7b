"""Both notebooks, executed from the first cell to the last, and what they print."""

import csv
import json
import re
import sys
from pathlib import Path

import pytest

from limner.data.preparing.config import PrepareConfig
from limner.data.preparing.prepare import prepare
from limner.shapes import write_folder
from limner.training.course import FASTER, NOTICE

pytest.importorskip("matplotlib", reason="the notebooks draw with matplotlib (extra: plots)")
nbclient = pytest.importorskip("nbclient", reason="executes the notebooks (extra: dev)")
nbformat = pytest.importorskip("nbformat", reason="reads the notebooks (extra: dev)")

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"

# By cell: the errors it prints, in order, and the tolerance that the text above it states.
RNN_ERRORS = {
    "rnn-step-forward-check": (1e-8, ["next_h"]),
    "rnn-step-backward-check": (1e-8, ["dx", "dprev_h", "dWx", "dWh", "db"]),
    "rnn-forward-check": (1e-7, ["h"]),
    "rnn-backward-check": (1e-6, ["dx", "dh0", "dWx", "dWh", "db"]),
    "embedding-forward-check": (1.01e-8, ["out"]),  # 1.00000001e-8: the eight digits expected
    "embedding-backward-check": (1e-11, ["dW"]),
    "temporal-affine-check": (1e-9, ["dx", "dw", "db"]),
    "temporal-softmax-check": (1e-7, ["dx"]),
    "model-gradient-check": (
        1e-6,
        ["W_embed", "W_proj", "W_vocab", "Wh", "Wx", "b", "b_proj", "b_vocab"],
    ),
}
LSTM_ERRORS = {
    "lstm-step-forward-check": (1e-8, ["next_h", "next_c"]),
    "lstm-step-backward-check": (1e-6, ["dx", "dprev_h", "dprev_c", "dWx", "dWh", "db"]),
    "lstm-forward-check": (1e-7, ["h"]),
    "lstm-backward-check": (1e-6, ["dx", "dh0", "dWx", "dWh", "db"]),
    "model-gradient-check": RNN_ERRORS["model-gradient-check"],
}
RNN_FIGURES = {"look-minibatch": 3, "overfit-train": 1, "sampling-show": 4}
LSTM_FIGURES = {"overfit-train": 1, "sampling-show": 4}

# Put after the last cell: what the notebook has, but does not print.
PROBE = """
learned = small_{cell}_model.sample(
    small_data['train_features'][small_data['train_image_idxs']],
    max_length=small_data['train_captions'].shape[1] - 1)
print(json.dumps({{
    'iterations': len(small_{cell}_solver.loss_history),
    'final loss': small_{cell}_solver.loss_history[-1],
    'captions overfitted':
        float((learned == small_data['train_captions'][:, 1:]).all(axis=1).mean()),
    'image': image_from_url(data['train_urls'][0]).shape,
}}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with `limner-demo/dataset` in it: 120 drawn images, one caption each.

    Of 50 captions drawn from 96 images many are of the same image. Were they five different
    ones, a model that knew them all could not tell which is expected, and the loss would stop
    at 0.2 to 0.4. (Of COCO's 82,783 images, or a demo's 1,600, hardly two are the same.)
    """
    folder = tmp_path_factory.mktemp("notebooks")
    images = folder / "limner-demo" / "images"
    write_folder(images, 120)
    captions = images / "captions.csv"
    with captions.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    with captions.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows[::5]])
    out = folder / "limner-demo" / "dataset"
    job = PrepareConfig(source=images / "images", out=out, captions=captions, min_count=1)
    prepare(job, report=lambda line: None)
    return folder


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """The name of a kernel that is this very Python, undisturbed by the user's settings."""
    spec = tmp_path / "kernels" / "limner-tests"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    content = {"argv": argv, "display_name": "limner's tests", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(content))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for name in ("PIP_NO_INDEX", "PIP_DISABLE_PIP_VERSION_CHECK"):
        monkeypatch.setenv(name, "1")
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # beside other tests, more threads than cores are slower
    return spec.name


def execute(name, folder, kernel, cell):
    """Run a notebook with the probe at its end: (text, number of figures) by cell, the probe."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    source = "import json\n" + PROBE.format(cell=cell)
    notebook.cells.append(nbformat.v4.new_code_cell(source, id="probe"))
    client = nbclient.NotebookClient(
        notebook,
        kernel_name=kernel,
        timeout=120,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    texts, figures = outputs_of(notebook)
    return texts, figures, json.loads(texts.pop("probe"))


def outputs_of(notebook):
    """The text, and the number of figures if there are any, by cell."""
    texts, figures = {}, {}
    for code in (c for c in notebook.cells if c.cell_type == "code"):
        streams = [o for o in code.outputs if o.output_type == "stream"]
        assert not [o.text for o in streams if o.name == "stderr"], code.id
        assert not [o for o in code.outputs if o.output_type == "error"], code.id
        texts[code.id] = "".join(o.text for o in streams)
        figures[code.id] = sum("image/png" in o.get("data", {}) for o in code.outputs)
    return texts, {key: count for key, count in figures.items() if count}


def assert_errors(texts, expected):
    found = {
        key: re.findall(r"^(\w+) (?:relative )?error: +(\S+)$", text, re.MULTILINE)
        for key, text in texts.items()
    }
    names = {key: [name for name, _ in errors] for key, errors in found.items() if errors}
    assert names == {key: names for key, (_, names) in expected.items()}
    for key, (tolerance, _) in expected.items():
        for name, error in found[key]:
            assert 0 <= float(error) <= tolerance, f"{key}: {name} error {error}"


def assert_loss(text, expected):
    loss, stated, difference = re.fullmatch(
        r"loss:  (\S+)\nexpected loss:  (\S+)\ndifference:  (\S+)\n", text
    ).groups()
    assert float(stated) == expected
    assert float(loss) == pytest.approx(expected, abs=1e-10)
    assert float(difference) <= 1e-10


def assert_overfitted(text, probe, limit):
    lines = re.findall(r"^\(Iteration (\d+) / 100\) loss: (\d+\.\d{6})$", text, re.MULTILINE)
    assert text.splitlines()[0] == f"{NOTICE}{FASTER}."
    assert len(lines) == len(text.splitlines()) - 1
    assert [int(iteration) for iteration, _ in lines] == list(range(1, 100, 10))
    assert float(lines[0][1]) > 30
    assert float(lines[-1][1]) < limit
    assert probe["iterations"] == 100
    assert probe["final loss"] < limit
    assert probe["captions overfitted"] > 0.9


def test_rnn_notebook(folder, kernel):
    texts, figures, probe = execute("rnn_captioning.ipynb", folder, kernel, "rnn")
    assert_errors(texts, RNN_ERRORS)
    losses = [float(line) for line in texts["temporal-softmax-check"].splitlines()[:3]]
    assert losses == pytest.approx([2.3, 23, 2.3], abs=0.1)
    assert_loss(texts["model-loss-check"], 9.83235591003)
    assert_overfitted(texts["overfit-train"], probe, 0.1)
    assert figures == RNN_FIGURES
    assert probe["image"] == [224, 224, 3]  # the image, not a note that it is missing
    assert f"already satisfied: h5py in {sys.prefix}" in texts["h5py-pip"]
    assert texts["load"].splitlines()[4].endswith("(96, 512) float32")
    assert "772076 + 656384 = 1428460" in texts["answer-numbers"]
    assert " 34605 + 656384 =  690989" in texts["answer-numbers"]


def test_lstm_notebook(folder, kernel):
    texts, figures, probe = execute("lstm_captioning.ipynb", folder, kernel, "lstm")
    assert_errors(texts, LSTM_ERRORS)
    assert_loss(texts["model-loss-check"], 9.82445935443)
    assert_overfitted(texts["overfit-train"], probe, 0.5)
    assert figures == LSTM_FIGURES
    assert probe["image"] == [224, 224, 3]
    # What the notebook's last text says of these numbers: RNN, forget bias 0, 1, 3.
    reach = [[float(n) for n in line.split()] for line in texts["gradient-reach"].splitlines()[1:]]
    assert [row[0] for row in reach] == [1, 10, 30, 50]
    _, rnn, bias_0, bias_1, bias_3 = reach[-1]
    assert max(rnn, bias_0) < 1e-8
    assert 1e-7 < bias_1 < 1e-4 < bias_3
    assert bias_3 == pytest.approx(reach[1][-1], rel=0.5)


@pytest.mark.parametrize(
    ("name", "errors", "figures"),
    [
        ("rnn_captioning.ipynb", RNN_ERRORS, RNN_FIGURES),
        ("lstm_captioning.ipynb", LSTM_ERRORS, LSTM_FIGURES),
    ],
)
def test_stored_outputs(name, errors, figures):
    """`python scripts/run_notebooks.py` stores the outputs of a run from the first cell on."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    texts, stored = outputs_of(notebook)
    assert_errors(texts, errors)
    assert stored == figures
    assert not re.findall(r"[\s'\"]/\w+/|https?://", "".join(texts.values()))
