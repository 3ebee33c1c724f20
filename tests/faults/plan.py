"""Which faults happen when: a pure function of the seed."""

import random
from collections.abc import Mapping
from typing import NamedTuple

from faults.fault import Fault

GAP_S = (0.3, 1.5)
HOLD_S = (0.2, 2.5)
DOUBLE_SHARE = 0.25
# How many others come with the loss of a gate: each of 0, 1, 2 this often.
COMPANIONS_OF_A_LOSS = (0.3, 0.4, 0.3)
SETTLE_SHARE = 0.7


class Step(NamedTuple):
    """Wait `gap_s`, inflict the faults in this order, hold them for `hold_s`, and heal them.

    `settle`: go on only when every coupon is answered again. `seed`: for what each fault chooses.
    """

    gap_s: float
    faults: tuple[str, ...]
    hold_s: float
    settle: bool
    seed: int


def plan(seed: int, faults: Mapping[str, Fault], steps: int) -> list[Step]:
    """`steps` steps of some of `faults`.

    At times two strike together, at different parts. The loss of a gate mostly comes with one or two others:
    what it takes is given back by those that are left. A fault that is `alone` strikes alone.
    """
    rng = random.Random(f"plan/{seed}")
    return [_step(rng, faults, rng.choice(sorted(faults))) for _ in range(steps)]


def plan_each(faults: Mapping[str, Fault], share: int, shares: int) -> list[Step]:
    """The part number `share` of `shares` of a plan in which every fault strikes at least once."""
    rng = random.Random("each")
    names = sorted(faults)
    rng.shuffle(names)
    return [_step(rng, faults, name) for name in names][share::shares]


def _step(rng: random.Random, faults: Mapping[str, Fault], name: str) -> Step:
    fault = faults[name]
    together = [name]
    for _ in range(0 if fault.alone else _companions(rng, fault)):
        taken = {faults[one].part for one in together}
        others = [n for n in sorted(faults) if not faults[n].alone and faults[n].part not in taken]
        if others:
            together.append(rng.choice(others))
    rng.shuffle(together)
    return Step(
        rng.uniform(*GAP_S),
        tuple(together),
        rng.uniform(*HOLD_S),
        rng.random() < SETTLE_SHARE or fault.alone,
        rng.getrandbits(32),
    )


def _companions(rng: random.Random, fault: Fault) -> int:
    if fault.loses_gate:
        return rng.choices(range(len(COMPANIONS_OF_A_LOSS)), COMPANIONS_OF_A_LOSS)[0]
    return int(rng.random() < DOUBLE_SHARE)
