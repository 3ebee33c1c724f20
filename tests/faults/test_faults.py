"""A short run of each scenario: every fault strikes at least once. `./dev faults` runs longer."""

import pytest

from faults.plan import plan_each
from faults.run import parts, run
from faults.scenarios import CLUSTER, EMBEDDED, Scenario

CLUSTER_RUNS = 3
PLAN_SEED = 1

RUNS = [(CLUSTER, share, CLUSTER_RUNS) for share in range(CLUSTER_RUNS)] + [(EMBEDDED, 0, 1)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("scenario", "share", "shares"), RUNS, ids=[f"{s.name}-{n}" for s, n, _ in RUNS])
def test_the_promises_hold_under_faults(scenario: Scenario, share: int, shares: int) -> None:
    outcome = run(scenario, share, plan_each(PLAN_SEED, parts(scenario), share, shares))
    assert not outcome.breaches, outcome.report()
    assert outcome.acknowledged > 2_000
