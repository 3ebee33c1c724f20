"""The cluster with thousands of coupons that are over beside those that live."""

import time

from harness.closed_coupons import add_closed_coupons

from faults import gate_losses, nemesis
from faults.cluster import Cluster
from faults.fault import Fault

CLOSED = 5_000
RECOVERED_S = 120.0
POLL_S = 0.2
STRIKING = (
    *("flush-redis", "empty-redis", "other-redis-identity", "kill-redis", "hung-recoverer"),
    *("kill-api", "pause-api", "kill-worker", "kill-postgres"),
)


class CrowdedCluster(Cluster):
    """As it is after years."""

    def audit(self) -> list[str]:
        """It would wait for each coupon that is being recovered."""
        deadline = time.monotonic() + RECOVERED_S
        while left := self.unsettled():
            if time.monotonic() > deadline:
                return [f"{left} coupons are still shut {RECOVERED_S} s after the last fault"]
            time.sleep(POLL_S)
        return super().audit()

    def opened(self) -> None:
        with self.redis.client() as client:
            address = next(iter(self.apis.values()))
            add_closed_coupons(self.postgres.address, client, address, CLOSED, self.coupons[0].id)


FAULTS: dict[str, Fault] = {
    name: fault for name, fault in {**nemesis.FAULTS, **gate_losses.FAULTS}.items() if name in STRIKING
}
