"""Learning-rate factors after AutoML's two schedulers."""

import pytest

from training.local.schedule import learning_rate_factor
from training.settings import Settings, default_settings


def told(**changes: int | float | str) -> Settings:
    return default_settings("mobilenetv2", changes=changes)


def test_warmup_cosine_rises_then_falls() -> None:
    """The factor rises over the warm-up, reaches one, and ends at zero after half a period."""
    settings = told(number_of_epochs=10, warmup_cosine_lr_warmup_epochs=2, warmup_cosine_lr_cycles=0.5)
    factor = learning_rate_factor(settings, steps_per_epoch=5)
    factors = [factor(step) for step in range(51)]
    assert factors[:10] == sorted(factors[:10])
    assert factors[10] == 1
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[50] == pytest.approx(0)


def test_fewer_cycles_end_above_zero() -> None:
    """AutoML's 0.45 of a period ends at 2.4 % of the learning rate."""
    settings = told(number_of_epochs=4, warmup_cosine_lr_warmup_epochs=0)
    assert learning_rate_factor(settings, steps_per_epoch=1)(4) == pytest.approx(0.0245, abs=1e-4)


def test_warmup_longer_than_training_leaves_an_epoch() -> None:
    """With as many warm-up epochs as epochs, the last one still runs at the full rate."""
    settings = told(number_of_epochs=2, warmup_cosine_lr_warmup_epochs=2)
    assert learning_rate_factor(settings, steps_per_epoch=3)(3) == 1


def test_step_scheduler() -> None:
    """The step scheduler multiplies by gamma every so many epochs."""
    settings = told(learning_rate_scheduler="step", step_lr_gamma=0.1, step_lr_step_size=2)
    factor = learning_rate_factor(settings, steps_per_epoch=3)
    assert [factor(step) for step in (0, 5, 6, 11, 12)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])
