"""A short run of each scenario: every fault strikes at least once. `./dev faults` runs longer."""

import pytest

from faults.run import run
from faults.scenarios import CLUSTER, EMBEDDED, REPLICATED, Scenario

SHORT_RUNS = {CLUSTER.name: 3, REPLICATED.name: 1, EMBEDDED.name: 1}
ACKNOWLEDGED_MIN = 2_000

RUNS = [
    (s, seed, SHORT_RUNS[s.name])
    for s in (CLUSTER, REPLICATED, EMBEDDED)
    for seed in range(SHORT_RUNS[s.name])
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("scenario", "seed", "runs"), RUNS, ids=[f"{s.name}-{n}" for s, n, _ in RUNS])
def test_the_promises_hold_under_faults(scenario: Scenario, seed: int, runs: int) -> None:
    outcome = run(scenario, seed, each=runs)
    assert not outcome.breaches, outcome.report()
    assert outcome.acknowledged > ACKNOWLEDGED_MIN
