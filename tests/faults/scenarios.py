"""The compositions that are tested, with their coupons and faults."""

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from faults import crowd, embedded, nemesis, replicated
from faults.cluster import LAYOUTS, Cluster, can_mount
from faults.crowd import CrowdedCluster
from faults.embedded import Embedded
from faults.fault import Fault
from faults.history import Coupon
from faults.installation import Installation
from faults.replicated import ReplicatedCluster

CLOSING = "closing"


@dataclass(frozen=True)
class Scenario:
    """`coupons` has one named CLOSING. `make` gets the names of the faults that will strike.

    `tried_elsewhere`: faults that the short run of another scenario inflicts.
    """

    name: str
    coupons: list[Coupon]
    all_faults: Mapping[str, Fault]
    make: Callable[[random.Random, Collection[str]], Installation]
    untold_is_lost: bool = False
    tried_elsewhere: Collection[str] = ()

    def faults(self) -> dict[str, Fault]:
        """Those that can be inflicted on this machine."""
        return {name: fault for name, fault in self.all_faults.items() if name not in self.left_out()}

    def left_out(self) -> set[str]:
        """Those that cannot."""
        disk = {nemesis.FULL_POSTGRES_DISK} & self.all_faults.keys()
        return set() if can_mount() else disk


def _needed(faults: Collection[str]) -> dict[str, bool]:
    """What a cluster must have for these to strike."""
    skewed = any(nemesis.FAULTS[name].moves_clocks for name in faults if name in nemesis.FAULTS)
    return {"small_disk": nemesis.FULL_POSTGRES_DISK in faults, "skewed": skewed}


CLUSTER = Scenario(
    "cluster",
    [
        Coupon("busy", 4_000),
        Coupon(CLOSING, 600),
        Coupon("large", 1_000_000),
        Coupon("logged", 1_500, "log"),
        Coupon("stored", 1_500, "store"),
    ],
    nemesis.FAULTS,
    lambda rng, faults: Cluster(rng.choice(sorted(LAYOUTS)), **_needed(faults)),
)

REPLICATED = Scenario(
    "sentinel",
    CLUSTER.coupons,
    replicated.FAULTS,
    lambda rng, faults: ReplicatedCluster(rng.choice(sorted(LAYOUTS)), **_needed(faults)),
    tried_elsewhere=nemesis.FAULTS.keys(),
)

CROWD = Scenario(
    "crowd",
    CLUSTER.coupons,
    crowd.FAULTS,
    lambda rng, faults: CrowdedCluster(rng.choice(sorted(LAYOUTS)), **_needed(faults)),
)

EMBEDDED = Scenario(
    "embedded",
    [Coupon("busy", 2_000, "store"), Coupon(CLOSING, 300, "store"), Coupon("large", 1_000_000, "store")],
    embedded.FAULTS,
    lambda _, __: Embedded(),
    untold_is_lost=True,
)

SCENARIOS = {scenario.name: scenario for scenario in (CLUSTER, EMBEDDED, REPLICATED, CROWD)}
