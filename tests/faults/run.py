"""One seed against an installation: load, faults, healing, draining, judgement."""

import logging
import random
import time
from contextlib import ExitStack

from faults.fault import Fault, Struck
from faults.history import Contents, FaultSpan, History, View
from faults.installation import Installation
from faults.outcome import Outcome, judge
from faults.plan import Step, plan, plan_each
from faults.scenarios import CLOSING, Scenario
from faults.workload import Workload, ask_again

STEPS = 8
WARM_UP_S = 1.0
SETTLE_TIMEOUT_S = 20.0
HEAL_TIMEOUT_S = 60.0
DRAIN_TIMEOUT_S = 60.0
POLL_S = 0.1


def trace(text: str) -> None:
    """Tells what a run does at the moment; shown with --trace."""
    logging.getLogger("faults").info("%s", text)


def replay(scenario: Scenario, seed: int, each: int | None = None) -> str:
    """The one command that runs it again."""
    return f"./dev faults --scenario {scenario.name} --seed {seed}" + (f" --each {each}" if each else "")


def run(scenario: Scenario, seed: int, each: int | None = None) -> Outcome:
    """Runs and judges a seed. With `each`, the seeds 0 to `each` - 1 together inflict every fault."""
    try:
        return _run(scenario, seed, each)
    except Exception as error:
        error.add_note(f"replay: {replay(scenario, seed, each)}")
        raise


def _run(scenario: Scenario, seed: int, each: int | None) -> Outcome:
    rng = random.Random(f"run/{seed}")
    known = scenario.faults()
    new = {name: fault for name, fault in known.items() if name not in scenario.tried_elsewhere}
    steps = plan_each(new, seed % each, each) if each else plan(seed, known, STEPS)
    names = {name for step in steps for name in step.faults}
    history = History(
        scenario.coupons,
        gate_lost=any(scenario.all_faults[name].loses_gate for name in names),
        untold_is_lost=scenario.untold_is_lost,
        log_remade=any(scenario.all_faults[name].remakes_log for name in names),
        clocks_moved=any(scenario.all_faults[name].moves_clocks for name in names),
    )
    began = time.time()
    with scenario.make(rng, names) as installation:
        for coupon in scenario.coupons:
            installation.create(coupon)
        installation.opened()
        workload = Workload(seed, history, installation.apis, CLOSING)
        workload.start()
        try:
            time.sleep(WARM_UP_S)
            for step in steps:
                _take(step, scenario, installation, history, workload)
            time.sleep(WARM_UP_S)
        finally:
            workload.stop()
        contents = _settle(installation, history, rng)
    trace("judging")
    return judge(scenario.name, seed, time.time() - began, history, contents, replay(scenario, seed, each))


def _take(
    step: Step, scenario: Scenario, installation: Installation, history: History, workload: Workload
) -> None:
    time.sleep(step.gap_s)
    rng = random.Random(step.seed)
    trace(f"{' and '.join(step.faults)} for {step.hold_s:.1f} s")

    with ExitStack() as stack:
        for name in step.faults:
            fault = scenario.all_faults[name]
            start, entered = time.time(), ExitStack()
            # The stack goes backwards: noted once the fault has healed.
            struck = entered.enter_context(fault.inflict(installation, rng)) or Struck()
            stack.callback(_note, history, name, fault, start, struck)
            stack.push(entered)
        time.sleep(step.hold_s)
    trace("healed")
    if step.settle:
        workload.wait_decided(time.time(), SETTLE_TIMEOUT_S)


def _note(history: History, name: str, fault: Fault, start: float, struck: Struck) -> None:
    history.faults.append(FaultSpan(name, start, time.time(), fault.part, fault.loses_gate, *struck))


def _settle(installation: Installation, history: History, rng: random.Random) -> Contents:
    """Waits until all has healed and drained, and reads it."""
    trace("asking again")
    left = ask_again(history, installation.apis, rng, time.time() + HEAL_TIMEOUT_S)
    if left:
        history.undrained.append(f"{len(left)} users without a decision after {HEAL_TIMEOUT_S} s: {left[:3]}")
    trace("draining")
    deadline = time.time() + DRAIN_TIMEOUT_S
    views = {coupon.id: _drain(coupon.id, installation, history, rng, deadline) for coupon in history.coupons}
    trace("reading")
    contents = installation.contents(history.coupons)
    contents.views = views
    history.crashes += installation.crashes
    history.undrained += installation.unhealed
    history.take_overs_s += installation.take_overs_s
    trace("auditing")
    history.audit += installation.audit()
    return contents


def _drain(
    coupon: str, installation: Installation, history: History, rng: random.Random, deadline: float
) -> View:
    """Waits until all that is issued is published and persisted."""
    while True:
        view = installation.view(coupon, rng)
        if 0 <= view.issued <= min(view.published, view.persisted):
            return view
        if time.time() > deadline:
            history.undrained.append(f"{coupon} did not drain in {DRAIN_TIMEOUT_S} s: {view}")
            return view
        time.sleep(POLL_S)
