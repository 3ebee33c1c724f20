"""A seed means one schedule, and the short run leaves no fault out."""

from faults.plan import ALONE, plan, plan_each
from faults.scenarios import SCENARIOS

PARTS = {"a1": "a", "a2": "a", "b1": "b", "c1": "c", "d1": ALONE}


def test_a_seed_means_one_plan() -> None:
    assert plan(7, PARTS, 50) == plan(7, PARTS, 50)
    assert plan(7, PARTS, 50) != plan(8, PARTS, 50)


def test_two_faults_at_once_strike_different_parts() -> None:
    doubles = [step.faults for step in plan(1, PARTS, 200) if len(step.faults) > 1]
    assert doubles
    assert all(PARTS[first] != PARTS[second] for first, second in doubles)


def test_what_strikes_alone_does_so_and_is_waited_for() -> None:
    steps = [step for step in plan(1, PARTS, 200) if "d1" in step.faults]
    assert steps
    assert all(step.faults == ("d1",) and step.settle for step in steps)


def test_the_shares_of_a_plan_hold_every_fault() -> None:
    shares = [plan_each(PARTS, share, 3) for share in range(3)]
    assert {step.faults[0] for share in shares for step in share} == set(PARTS)


def test_no_fault_is_left_out_unsaid() -> None:
    for scenario in SCENARIOS.values():
        assert scenario.faults().keys() | scenario.left_out() == scenario.all_faults.keys()
