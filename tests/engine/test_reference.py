import numpy as np
import pytest

from limner.engine import ReferenceEngine
from limner.models import CaptioningRNN
from limner.optim import UPDATE_RULES

WORDS = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}


@pytest.fixture
def batch(rng):
    return rng.standard_normal((3, 4)).astype(np.float32), rng.integers(4, size=(3, 5))


def new_model():
    return CaptioningRNN(WORDS, 4, 5, 6, "lstm", rng=np.random.default_rng(0))


@pytest.mark.parametrize("rule", UPDATE_RULES)
def test_a_step_is_the_loss_and_the_rule(rule, batch):
    model, twin = new_model(), new_model()
    engine = ReferenceEngine(model, rule, {"learning_rate": 0.05})
    configs = {name: {"learning_rate": 0.05} for name in twin.params}
    for _ in range(3):
        expected, grads = twin.loss(*batch)
        for name, grad in grads.items():
            twin.params[name], configs[name] = UPDATE_RULES[rule](
                twin.params[name], grad, configs[name]
            )
        assert engine.step(*batch) == float(expected)
    for name, param in twin.params.items():
        np.testing.assert_array_equal(model.params[name], param)


def test_loss_and_grads_changes_nothing(batch):
    model = new_model()
    engine = ReferenceEngine(model)
    loss, grads = engine.loss_and_grads(*batch)
    assert loss == engine.loss_and_grads(*batch)[0]
    assert set(grads) == set(model.params)


@pytest.mark.parametrize("rule", UPDATE_RULES)
def test_state_goes_on_bit_for_bit(rule, batch):
    model = new_model()
    engine = ReferenceEngine(model, rule)
    for _ in range(3):
        engine.step(*batch)
    engine.scale_learning_rate(0.5)
    twin = new_model()
    twin.params.update({name: param.copy() for name, param in model.params.items()})
    other = ReferenceEngine(twin, rule)
    other.load_state_dict({name: array.copy() for name, array in engine.state_dict().items()})
    for _ in range(3):
        assert engine.step(*batch) == other.step(*batch)
    for name, param in model.params.items():
        np.testing.assert_array_equal(twin.params[name], param)


def test_unknown_rule_and_setting():
    with pytest.raises(ValueError, match="update_rule 'lion': expected one of sgd"):
        ReferenceEngine(new_model(), "lion")
    with pytest.raises(ValueError, match="adam has no setting 'lr'"):
        ReferenceEngine(new_model(), "adam", {"lr": 1e-3})
