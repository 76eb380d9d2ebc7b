import numpy as np
import pytest

from limner.data.dataset import Split
from limner.engine import NumpyEngine
from limner.models import CaptioningRNN
from limner.training.captioning_solver import CaptioningSolver
from limner.training.objectives import Likelihood
from limner.training.scheduled_sampling import ScheduledSampling
from limner.training.solver import Phase, Solver

WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "<UNK>": 3, "cat": 4, "dog": 5}


@pytest.fixture
def split(rng):
    captions = np.pad(rng.integers(3, 6, size=(10, 3)), ((0, 0), (1, 1)), constant_values=1)
    captions[:, -1] = 2
    features = rng.standard_normal((4, 6)).astype(np.float32)
    return Split(captions.astype(np.int32), rng.integers(4, size=10), features, tuple("abcd"))


def new_model(seed=0):
    return CaptioningRNN(WORDS, 6, 5, 7, "lstm", rng=np.random.default_rng(seed))


def solver(split, model=None, **options):
    options = {"batch_size": 4, "num_epochs": 3, "verbose": False} | options
    return CaptioningSolver(model or new_model(), split, "adam", {"learning_rate": 0.01}, **options)


def test_the_courses_lines_and_history(split, capsys):
    course = {
        "train_captions": split.captions,
        "train_image_idxs": split.image_idxs,
        "train_features": split.features,
    }
    np.random.seed(0)
    trained = CaptioningSolver(new_model(), course, "sgd", num_epochs=6, batch_size=4)
    trained.train()
    assert len(trained.loss_history) == 12
    first, last = trained.loss_history[0], trained.loss_history[10]
    assert capsys.readouterr().out.splitlines() == [
        f"(Iteration 1 / 12) loss: {first:.6f}",
        f"(Iteration 11 / 12) loss: {last:.6f}",
    ]


def test_global_state_gives_the_courses_minibatches(split):
    """One np.random.choice a step, with replacement, and nothing else."""
    np.random.seed(5)
    trained = solver(split)
    trained.train()
    after = np.random.random()
    np.random.seed(5)
    for _ in range(trained.num_iterations):
        np.random.choice(10, 4)
    assert np.random.random() == after


def test_shuffle_takes_every_caption_once_an_epoch(split):
    seen = []
    trained = solver(split, shuffle=True, batch_size=5, rng=np.random.default_rng(0))
    inner = trained.train_split.minibatch
    object.__setattr__(
        trained.train_split, "minibatch", lambda rows, rng: seen.append(rows) or inner(rows)
    )
    trained.train()
    epochs = np.array(seen).reshape(3, 10)
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs.tolist())
    assert epochs[0].tolist() != epochs[1].tolist()


def test_it_learns(split):
    trained = solver(split, num_epochs=60, shuffle=True, rng=np.random.default_rng(0))
    trained.train()
    assert np.mean(trained.loss_history[-4:]) < 0.5 * trained.loss_history[0]


class RecordingEngine(NumpyEngine):
    """Keeps the learning rates and batches of all steps."""

    rates, batches = [], []

    def step(self, batch, learning_rate):
        self.rates.append(learning_rate)
        self.batches.append(batch)
        return super().step(batch, learning_rate)


@pytest.fixture
def recorded():
    RecordingEngine.rates, RecordingEngine.batches = [], []
    return RecordingEngine


def test_decay_after_each_epoch(split, recorded):
    solver(split, lr_decay=0.5, engine=recorded).train()
    assert recorded.rates == [0.01, 0.01, 0.005, 0.005, 0.0025, 0.0025]


def test_schedule_restarts_in_each_phase(split, recorded):
    def progress(done):
        return 1 - done

    phases = [
        Phase(Likelihood(), 1, "adam", {"learning_rate": 0.1}),
        Phase(Likelihood(), 0, "sgd"),
        Phase(Likelihood(), 2, "sgd", {"learning_rate": 0.4}),
    ]
    two = Solver(
        new_model(),
        split,
        phases,
        batch_size=4,
        schedule=progress,
        engine=recorded,
        verbose=False,
        rng=np.random.default_rng(0),
    )
    two.train()
    assert two.phase is phases[2]
    assert recorded.rates == pytest.approx([0.1, 0.05, 0.4, 0.3, 0.2, 0.1])
    with pytest.raises(ValueError, match="phases: expected one or more"):
        Solver(new_model(), split, [], engine=recorded)
    for wrong, message in (
        ({"batch_size": 0}, "batch_size 0"),
        ({"print_every": 0}, "print_every 0"),
        ({"lr_decay": 0.5, "schedule": progress}, "`lr_decay` 0.5 has no effect with a schedule"),
    ):
        with pytest.raises(ValueError, match=message):
            Solver(new_model(), split, phases, engine=recorded, **wrong)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("solver/order", np.array([0.5] * 9)),
        ("solver/order", np.array([0, 1, 2, 3, 4, 5, 6, 7, 99])),
        ("solver/order", np.array([0, 1])),
        ("solver/loss_history", np.array([1.0, np.nan])),
        ("solver/loss_history", np.array(1.0)),
    ],
)
def test_a_damaged_state_is_refused(split, name, wrong):
    whole = solver(split, shuffle=True, rng=np.random.default_rng(0))
    whole.train()
    tensors, rng = whole.state()
    with pytest.raises(ValueError, match=r"losses|order|permutation"):
        solver(split, shuffle=True).restore({**tensors, name: wrong}, rng)


def test_seeded_scheduled_sampling_repeats(split, recorded):
    inputs = []
    for _ in range(2):
        np.random.seed(3)
        RecordingEngine.batches = []
        phase = Phase(ScheduledSampling(1.0, WORDS), 3)
        Solver(new_model(), split, [phase], batch_size=4, engine=recorded, verbose=False).train()
        inputs.append([batch.inputs.tolist() for batch in recorded.batches])
    assert inputs[0] == inputs[1]
    assert any(b.inputs.tolist() != b.captions[:, :-1].tolist() for b in recorded.batches)


def test_callbacks(split):
    steps, epochs = [], []
    solver(
        split,
        on_step=lambda s: steps.append(s.iteration),
        on_epoch=lambda s: epochs.append((s.epoch, s.iteration)),
    ).train()
    assert steps == [1, 2, 3, 4, 5, 6]
    assert epochs == [(1, 2), (2, 4), (3, 6)]


@pytest.mark.parametrize("stop", [1, 3, 4, 5])
@pytest.mark.parametrize("shuffle", [True, False])
def test_restored_solver_continues_bit_for_bit(split, stop, shuffle):
    whole = solver(split, shuffle=shuffle, lr_decay=0.9, rng=np.random.default_rng(7))
    whole.train()

    class StopHereError(Exception):
        pass

    def stop_there(s):
        if s.iteration == stop:
            raise StopHereError

    options = {"shuffle": shuffle, "lr_decay": 0.9}
    first = solver(split, on_step=stop_there, rng=np.random.default_rng(7), **options)
    with pytest.raises(StopHereError):
        first.train()
    tensors, rng_state = first.state()
    second = solver(split, new_model(seed=99), rng=np.random.default_rng(99), **options)
    second.model.params.update(first.model.params)
    second.restore(tensors, rng_state)
    second.train()
    assert second.loss_history == whole.loss_history
    for name, param in whole.model.params.items():
        np.testing.assert_array_equal(second.model.params[name], param)


def test_fewer_captions_than_a_batch(split):
    trained = solver(split, batch_size=64, num_epochs=2, shuffle=True, rng=np.random.default_rng(0))
    trained.train()
    assert len(trained.loss_history) == 2


def test_unknown_argument_and_rule(split):
    with pytest.raises(ValueError, match="unknown arguments: bogus"):
        CaptioningSolver(new_model(), split, bogus=1)
    with pytest.raises(ValueError, match="update_rule 'bogus'"):
        CaptioningSolver(new_model(), split, "bogus")
