"""Which faults happen when: a pure function of the seed."""

import random
from collections.abc import Mapping
from typing import NamedTuple

GAP_S = (0.3, 1.5)
HOLD_S = (0.2, 2.5)
DOUBLE_SHARE = 0.25
SETTLE_SHARE = 0.7
ALONE = "alone"


class Step(NamedTuple):
    """Wait `gap_s`, inflict the faults, hold them for `hold_s`, and heal them.

    `settle`: go on only when every coupon is answered again. `seed`: for what each fault chooses.
    """

    gap_s: float
    faults: tuple[str, ...]
    hold_s: float
    settle: bool
    seed: int


def plan(seed: int, parts: Mapping[str, str], steps: int) -> list[Step]:
    """`steps` steps of faults named in `parts`, which says what part each strikes.

    At times two faults strike together, at different parts. A fault of the part ALONE strikes alone.
    """
    rng = random.Random(f"plan/{seed}")
    return [_step(rng, parts, rng.choice(sorted(parts))) for _ in range(steps)]


def plan_each(parts: Mapping[str, str], share: int, shares: int) -> list[Step]:
    """The part number `share` of `shares` of a plan in which every fault strikes at least once."""
    rng = random.Random("each")
    names = sorted(parts)
    rng.shuffle(names)
    return [_step(rng, parts, name) for name in names][share::shares]


def _step(rng: random.Random, parts: Mapping[str, str], fault: str) -> Step:
    alone = parts[fault] == ALONE
    others = [name for name in sorted(parts) if parts[name] not in (parts[fault], ALONE)]
    doubled = rng.random() < DOUBLE_SHARE and not alone and others
    return Step(
        rng.uniform(*GAP_S),
        (fault, rng.choice(others)) if doubled else (fault,),
        rng.uniform(*HOLD_S),
        rng.random() < SETTLE_SHARE or alone,
        rng.getrandbits(32),
    )
