"""Somebody deletes entries of an outbox by hand: whoever was told of a coupon gets a row all the same."""

from collections.abc import Callable

import pytest
import redis
from harness.recovery import COUPON, Sale
from harness.seonchak import Seonchak
from harness.servers import RedisServer

OUTBOX = f"{{coupon:{COUPON}}}:outbox"
ISSUED = 5

DELETIONS: dict[str, Callable[[redis.Redis], int]] = {
    "first": lambda client: client.xdel(OUTBOX, "1-0"),
    "second": lambda client: client.xdel(OUTBOX, "2-0"),
    "last": lambda client: client.xdel(OUTBOX, f"{ISSUED}-0"),
    "all": lambda client: client.xtrim(OUTBOX, maxlen=0, approximate=False),
}


def sell(sale: Sale, server: Seonchak) -> dict[str, int]:
    sale.create(server)
    return sale.issue_all(server, 0, ISSUED)


@pytest.mark.parametrize("which", DELETIONS)
def test_entries_are_deleted_before_they_are_read(sale: Sale, own_redis: RedisServer, which: str) -> None:
    issued = sell(sale, sale.start("api"))
    assert DELETIONS[which](own_redis.client()) > 0
    sale.start("relay,consumer")
    sale.wait_for_rows(issued)


@pytest.mark.parametrize("which", DELETIONS)
def test_what_the_holders_have_needs_no_witness(sale: Sale, own_redis: RedisServer, which: str) -> None:
    first = sale.start("api")
    issued = sell(sale, first)
    first.kill9()
    assert DELETIONS[which](own_redis.client()) > 0
    server = sale.start()
    sale.wait_for_rows(issued)
    sale.wait_for_rows(sale.sell_the_rest(server, issued))


def test_more_is_issued_over_a_hole(sale: Sale, own_redis: RedisServer) -> None:
    server = sale.start("api")
    issued = sell(sale, server)
    for which in ("second", "last"):
        assert DELETIONS[which](own_redis.client()) > 0
    everyone = sale.sell_the_rest(server, issued)
    sale.start("relay,consumer")
    sale.wait_for_rows(everyone)
