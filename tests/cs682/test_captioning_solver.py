"""The course's solver trains by what the student has written, and says so."""

from dataclasses import replace

import numpy as np
import pytest

import limner
from cs682.captioning_solver import CaptioningSolver
from cs682.classifiers.rnn import CaptioningRNN
from limner.engine import NumpyEngine
from limner.layers import SoftTargets, cells
from limner.models import Batch
from limner.training.course import FASTER, NOTICE, CourseEngine

WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3, "dog": 4}
DATA = {
    "train_captions": np.array([[1, 3, 2], [1, 4, 2]]),
    "train_image_idxs": np.array([0, 1]),
    "train_features": np.eye(2, 3),
}


def trained(model_class=CaptioningRNN, solver=CaptioningSolver, **options):
    """The losses of eight steps."""
    model = model_class(WORDS, 3, 4, 5, "lstm", np.float64, rng=np.random.default_rng(0))
    np.random.seed(1)
    adam = {"learning_rate": 0.05}
    one = solver(model, DATA, "adam", adam, num_epochs=8, batch_size=2, **options)
    one.train()
    return one.loss_history


def test_it_says_that_the_reference_trains(capsys):
    losses = trained()
    assert capsys.readouterr().out.splitlines()[0] == f"{NOTICE}{FASTER}."
    assert losses == pytest.approx(trained(engine=NumpyEngine))
    assert NOTICE not in capsys.readouterr().out
    trained(verbose=False)
    assert capsys.readouterr().out == ""


def test_course_solver_uses_a_changed_layer(monkeypatch, capsys):
    whole = trained(), trained(solver=limner.CaptioningSolver)
    lstm = cells.CELLS["lstm"]

    def ruined(dh, caches):
        dx, dh0, dWx, dWh, db = lstm.backward(dh, caches)
        return dx, dh0, 0 * dWx, dWh, db

    monkeypatch.setitem(cells.CELLS, "lstm", lstm._replace(backward=ruined))
    assert np.abs(np.subtract(trained(), whole[0])).max() > 1e-4
    fast = trained(solver=limner.CaptioningSolver)
    assert fast == whole[1]  # which the fast pass does not see, and is not said to


def test_course_solver_uses_a_loss_with_the_courses_signature(capsys):
    calls = []

    class Mine(CaptioningRNN):
        def loss(self, features, captions):
            calls.append(captions.shape)
            loss, grads = super().loss(features, captions)
            return 2 * loss, {name: 2 * grad for name, grad in grads.items()}

    assert trained(Mine)[0] == pytest.approx(2 * trained()[0])
    assert calls == [(2, 3)] * 8


def test_a_subclass_that_overrides_loss_trains_in_limner_too():
    class Mine(CaptioningRNN):
        def loss(self, *arguments, **options):
            loss, grads = super().loss(*arguments, **options)
            return 2 * loss, grads

    plain = trained(solver=limner.CaptioningSolver, verbose=False)
    assert trained(Mine, limner.CaptioningSolver, verbose=False) == pytest.approx(
        [2 * loss for loss in plain]
    )


@pytest.mark.parametrize(
    "extra",
    [
        {"weights": np.array([3.0, -1.0])},
        {"inputs": np.array([[1, 4], [1, 3]])},
        {"soft_targets": SoftTargets(np.full((2, 2, 1), 4), np.full((2, 2, 1), 0.5))},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_course_solver_trains_other_models(extra):
    model = CaptioningRNN(WORDS, 3, 4, 5, "lstm", np.float64, rng=np.random.default_rng(0))
    batch = Batch(DATA["train_features"], DATA["train_captions"], **extra)
    loss, _ = CourseEngine(model).loss_and_grads(batch)
    assert loss == pytest.approx(float(model.loss(batch)[0]))
    assert loss != pytest.approx(float(model.loss(replace(batch, **dict.fromkeys(extra)))[0]))


def test_dropout_with_the_courses_signature_is_refused():
    class Mine(CaptioningRNN):
        def loss(self, features, captions):
            return super().loss(features, captions)

    assert len(trained(Mine, verbose=False)) == 8
    using = limner.engine.Regularization({"output": 0.5})
    with pytest.raises(ValueError, match=r"Mine\.loss: expected the arguments"):
        trained(Mine, regularization=using, verbose=False)
