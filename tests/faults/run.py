"""One seed against a cluster: load, faults, healing, draining, judgement."""

import logging
import random
import time
from contextlib import ExitStack

from faults.cluster import Cluster, can_mount
from faults.history import Coupon, FaultSpan, History
from faults.nemesis import FAULTS, available
from faults.outcome import Outcome, judge
from faults.plan import Step, plan
from faults.workload import Workload, ask_again

SCENARIO = "cluster"
STEPS = 8
WARM_UP_S = 1.0
SETTLE_TIMEOUT_S = 20.0
HEAL_TIMEOUT_S = 60.0
DRAIN_TIMEOUT_S = 60.0
POLL_S = 0.1

COUPONS = [
    Coupon("busy", 4_000),
    Coupon("closing", 600),
    Coupon("large", 1_000_000),
    Coupon("logged", 1_500, "log"),
    Coupon("stored", 1_500, "store"),
]
CLOSING = "closing"


def trace(text: str) -> None:
    """Tells what a run does at the moment; shown with --trace."""
    logging.getLogger("faults").info("%s", text)


def faults_here() -> dict[str, str]:
    """The faults that can be inflicted on this machine."""
    return available(can_mount())


def run(seed: int, steps: list[Step] | None = None, scenario: str = SCENARIO) -> Outcome:
    """Runs and judges a seed; without `steps` the seed chooses them."""
    rng = random.Random(f"run/{seed}")
    parts = faults_here()
    steps = steps if steps is not None else plan(seed, parts, STEPS)
    names = {name for step in steps for name in step.faults}
    history = History(
        COUPONS,
        gate_lost=any(FAULTS[name].loses_gate for name in names),
        log_remade=any(FAULTS[name].remakes_log for name in names),
    )
    began = time.time()
    with Cluster(rng.choice(["split", "split", "whole"]), "full-postgres-disk" in names) as cluster:
        for coupon in COUPONS:
            cluster.create(coupon)
        workload = Workload(seed, history, cluster.apis, CLOSING)
        workload.start()
        try:
            time.sleep(WARM_UP_S)
            for step in steps:
                _take(step, cluster, history, workload)
            time.sleep(WARM_UP_S)
        finally:
            workload.stop()
        return _judge(scenario, seed, began, cluster, history, rng)


def _take(step: Step, cluster: Cluster, history: History, workload: Workload) -> None:
    time.sleep(step.gap_s)
    rng = random.Random(step.seed)
    trace(f"{' and '.join(step.faults)} for {step.hold_s:.1f} s")
    with ExitStack() as stack:
        for name in step.faults:
            start = time.time()
            # Called after the fault has healed: the stack goes backwards.
            stack.callback(lambda name=name, start=start: history.faults.append(FaultSpan(name, start, time.time())))
            stack.enter_context(FAULTS[name].inflict(cluster, rng))
        time.sleep(step.hold_s)
    trace("healed")
    if step.settle:
        workload.wait_decided(time.time(), SETTLE_TIMEOUT_S)


def _judge(
    scenario: str, seed: int, began: float, cluster: Cluster, history: History, rng: random.Random
) -> Outcome:
    trace("draining")
    deadline = time.time() + DRAIN_TIMEOUT_S
    for coupon in history.coupons:
        while (view := cluster.view(coupon.id, rng)).issued != view.persisted or view.issued < 0:
            trace(f"{coupon.id}: {view}")
            if time.time() > deadline:
                history.undrained.append(f"{coupon.id} did not drain in {DRAIN_TIMEOUT_S} s: {view}")
                break
            time.sleep(POLL_S)
    trace("asking again")
    left = ask_again(history, cluster.apis, rng, time.time() + HEAL_TIMEOUT_S)
    if left:
        history.undrained.append(f"{len(left)} users without a decision after {HEAL_TIMEOUT_S} s: {left[:3]}")
    trace("reading")
    contents = cluster.settled_contents(history.coupons)
    contents.views = {coupon.id: cluster.view(coupon.id, rng) for coupon in history.coupons}
    history.crashes += cluster.crashes
    trace("judging")
    return judge(scenario, seed, time.time() - began, history, contents)
