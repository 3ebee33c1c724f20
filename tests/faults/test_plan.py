"""A seed means one schedule, and the short run leaves no fault out."""

from contextlib import nullcontext

from faults.fault import Fault
from faults.plan import plan, plan_each
from faults.scenarios import SCENARIOS


def fault(part: str, **properties: bool) -> Fault:
    return Fault(part, lambda *_: nullcontext(), **properties)


FAULTS = {
    "a1": fault("a"),
    "a2": fault("a"),
    "b1": fault("b"),
    "c1": fault("c"),
    "d1": fault("d", alone=True),
    "e1": fault("e", loses_gate=True),
}


def test_a_seed_means_one_plan() -> None:
    assert plan(7, FAULTS, 50) == plan(7, FAULTS, 50)
    assert plan(7, FAULTS, 50) != plan(8, FAULTS, 50)


def test_faults_at_once_strike_different_parts() -> None:
    together = [step.faults for step in plan(1, FAULTS, 200) if len(step.faults) > 1]
    assert together
    assert all(len({FAULTS[name].part for name in names}) == len(names) for names in together)


def test_what_strikes_alone_does_so_and_is_waited_for() -> None:
    steps = [step for step in plan(1, FAULTS, 200) if "d1" in step.faults]
    assert steps
    assert all(step.faults == ("d1",) and step.settle for step in steps)


def test_a_gate_is_lost_alone_with_one_other_and_with_two_before_and_after_them() -> None:
    steps = [step.faults for step in plan(1, FAULTS, 400) if "e1" in step.faults]
    assert {len(names) for names in steps} == {1, 2, 3}
    assert {names.index("e1") for names in steps} == {0, 1, 2}


def test_the_shares_of_a_plan_hold_every_fault() -> None:
    shares = [plan_each(FAULTS, share, 3) for share in range(3)]
    assert {name for share in shares for step in share for name in step.faults} == set(FAULTS)


def test_no_fault_is_left_out_unsaid() -> None:
    for scenario in SCENARIOS.values():
        assert scenario.faults().keys() | scenario.left_out() == scenario.all_faults.keys()
