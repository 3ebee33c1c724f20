"""A short run of each scenario: every fault strikes at least once. `./dev faults` runs longer."""

import pytest

from faults.run import run
from faults.scenarios import CLUSTER, EMBEDDED, Scenario

CLUSTER_RUNS = 3
EMBEDDED_RUNS = 1
ACKNOWLEDGED_MIN = 2_000

RUNS = [(CLUSTER, seed, CLUSTER_RUNS) for seed in range(CLUSTER_RUNS)]
RUNS += [(EMBEDDED, seed, EMBEDDED_RUNS) for seed in range(EMBEDDED_RUNS)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("scenario", "seed", "runs"), RUNS, ids=[f"{s.name}-{n}" for s, n, _ in RUNS])
def test_the_promises_hold_under_faults(scenario: Scenario, seed: int, runs: int) -> None:
    outcome = run(scenario, seed, each=runs)
    assert not outcome.breaches, outcome.report()
    assert outcome.acknowledged > ACKNOWLEDGED_MIN
