"""Whoever recovers may hang: another takes over, and the one that wakes up spoils nothing."""

import time

import pytest
from harness import coupons
from harness.recovery import COUPON, Sale
from harness.seonchak import Seonchak
from harness.servers import RedisServer
from harness.wait import eventually

BEGUN = "recovering it"
TAKE_OVER_S = 25.0
AWAKE_S = 5.0


def recoverer_of(servers: list[Seonchak]) -> Seonchak:
    return eventually(lambda: next((s for s in servers if BEGUN in s.log_text()), None), "nobody recovers")


@pytest.mark.parametrize("delay_s", [0.0, 1.4])
def test_another_takes_over_from_a_recoverer_that_hangs(
    sale: Sale, own_redis: RedisServer, delay_s: float
) -> None:
    servers = [sale.start("api"), sale.start("api")]
    sale.start("relay,consumer")
    sale.create(servers[0])
    issued = sale.issue_all(servers[0], 0, 10)
    issued |= {f"u{n}": sale.answer(servers[1], f"u{n}").json()["sequence"] for n in range(10, 20)}
    sale.wait_until(servers[0], "persisted", 20)
    own_redis.client().flushall()
    hung = recoverer_of(servers)
    time.sleep(delay_s)
    hung.pause()
    began = time.monotonic()
    (other,) = (server for server in servers if server is not hung)
    coupons.answer(other, COUPON, "u0", TAKE_OVER_S)
    print(f"open again {time.monotonic() - began:.1f} s after the recoverer was stopped")
    for number in range(20, 30):
        issued[f"u{number}"] = sale.answer(other, f"u{number}").json()["sequence"]

    opened = coupons.epochs(sale.database, COUPON)
    hung.resume()
    awake = time.monotonic() + AWAKE_S
    while time.monotonic() < awake:
        assert coupons.epochs(sale.database, COUPON) == opened, "who woke up has shut the coupon again"
        time.sleep(0.1)
    for server in servers:
        for user, sequence in issued.items():
            reply = sale.answer(server, user)
            assert (reply.status, reply.json()["sequence"]) == (200, sequence), (user, reply.text)
    sale.wait_for_rows(sale.sell_the_rest(other, issued))
