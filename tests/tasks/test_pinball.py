import math

import numpy as np
import pytest

from shared.tasks.pinball import PinballLoss, measure_pinball

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)


def test_the_mean_pinball_loss_by_hand():
    # targets 10 and 4; the quantile 0.1 forecasts 8 and 6, and 0.5 forecasts 10 and 8
    quantiles = {0.1: np.array([8.0, 6.0]), 0.5: np.array([10.0, 8.0])}
    # 0.1 * 2 above, 0.9 * 2 below; 0 and 0.5 * 4 below
    assert measure_pinball(np.array([10.0, 4.0]), quantiles) == pytest.approx(
        (0.2 + 1.8 + 0 + 2) / 4
    )


def test_a_target_without_all_quantiles_does_not_count():
    quantiles = {0.1: np.array([8.0, np.nan]), 0.5: np.array([10.0, 8.0])}
    assert measure_pinball(np.array([10.0, 4.0]), quantiles) == pytest.approx(0.1)
    quantiles[0.1][0] = -np.inf
    assert math.isnan(measure_pinball(np.array([10.0, 4.0]), quantiles))


def draw():
    random = np.random.default_rng(2)
    targets = random.normal(0, 3, (40, 3, 2))
    forecasts = np.sort(random.normal(0, 3, (40, 3, 2, 5)), axis=-1)
    return targets, forecasts, {q: forecasts[..., k] for k, q in enumerate(LEVELS)}


def test_it_is_the_loss_of_a_network():
    targets, forecasts, quantiles = draw()
    loss = float(PinballLoss(LEVELS)(targets, forecasts))
    assert measure_pinball(targets, quantiles) == pytest.approx(loss, rel=1e-5)


def test_it_is_the_score_of_scoringrules():
    package = "needs the package scoringrules (requirements-peers.txt)"
    scoringrules = pytest.importorskip("scoringrules", reason=package)
    targets, _, quantiles = draw()
    expected = np.mean(
        [scoringrules.quantile_score(targets, v, q) for q, v in quantiles.items()]
    )
    assert measure_pinball(targets, quantiles) == pytest.approx(expected)


def test_twice_the_mean_over_many_quantiles_is_the_crps_of_a_normal():
    normal = pytest.importorskip("scipy.stats").norm
    levels = (np.arange(999) + 0.5) / 999
    targets = np.array([0.7])
    quantiles = {q: normal.ppf([q]) for q in levels}
    # CRPS of a standard normal (Gneiting and Raftery 2007)
    crps = (
        0.7 * (2 * normal.cdf(0.7) - 1) + 2 * normal.pdf(0.7) - 1 / math.sqrt(math.pi)
    )
    assert 2 * measure_pinball(targets, quantiles) == pytest.approx(crps, abs=1e-3)
