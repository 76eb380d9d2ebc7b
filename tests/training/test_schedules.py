import numpy as np
import pytest

from limner.training.schedules import SCHEDULES


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5])
def test_up_to_one_while_warming_up_and_never_up_again(name, warmup):
    schedule = SCHEDULES[name]
    done = np.linspace(0, 1, 201)
    factors = np.array([schedule(share, warmup) for share in done])
    assert factors.max() == pytest.approx(1, abs=1e-2)
    assert (factors >= 0).all()
    assert (np.diff(factors[done >= warmup]) <= 1e-12).all()
    assert (np.diff(factors[done < warmup]) > 0).all()


@pytest.mark.torch
def test_one_cycle_is_pytorchs():
    torch = pytest.importorskip("torch")
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 1.0, total_steps=1001, pct_start=0.3, cycle_momentum=False
    )
    for step in range(1000):
        ours = SCHEDULES["one-cycle"](step / 1000, 0.3)
        assert ours == pytest.approx(
            theirs.get_last_lr()[0], abs=4e-3
        )  # its warm-up is a step shorter
        optimiser.step()
        theirs.step()
