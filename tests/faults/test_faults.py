"""A short run of each scenario: every fault strikes at least once. `./dev faults` runs longer."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from faults.embedded import Embedded
from faults.fault import Fault
from faults.run import run
from faults.scenarios import CLUSTER, CROWD, EMBEDDED, REPLICATED, Scenario

SHORT_RUNS = {CLUSTER.name: 4, REPLICATED.name: 1, EMBEDDED.name: 1, CROWD.name: 1}
ACKNOWLEDGED_MIN = 2_000

RUNS = [
    (s, seed, SHORT_RUNS[s.name])
    for s in (CLUSTER, REPLICATED, EMBEDDED, CROWD)
    for seed in range(SHORT_RUNS[s.name])
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("scenario", "seed", "runs"), RUNS, ids=[f"{s.name}-{n}" for s, n, _ in RUNS])
def test_the_promises_hold_under_faults(scenario: Scenario, seed: int, runs: int) -> None:
    outcome = run(scenario, seed, each=runs)
    assert not outcome.breaches, outcome.report()
    assert outcome.acknowledged > ACKNOWLEDGED_MIN


@contextmanager
def _steal_a_row(embedded: Embedded, _: random.Random) -> Iterator[None]:
    with embedded.connect() as file:
        file.execute("DELETE FROM user_coupon WHERE coupon_id = 'large' AND sequence = 5")
    yield


def test_a_stolen_row_does_not_go_unnoticed() -> None:
    sabotage = replace(EMBEDDED, all_faults={"steal-a-row": Fault("program", _steal_a_row)})
    outcome = run(sabotage, 0, each=1)
    assert {"lost", "gap"} <= {breach.kind for breach in outcome.breaches}
    assert outcome.replay in outcome.report()
