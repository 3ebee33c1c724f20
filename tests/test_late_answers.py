"""A process that slept through a recovery tells nobody of a coupon that was lost meanwhile."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from harness import coupons, http
from harness.proxy import Proxy
from harness.recovery import COUPON, STOCK, Sale
from harness.seonchak import Seonchak
from harness.servers import RedisServer
from harness.wait import SETTLE_S

USERS = 8
ACK_TIMEOUT_MS = 2_500


@pytest.fixture
def proxy(own_redis: RedisServer) -> Iterator[Proxy]:
    """The way of the process that is to sleep to Redis."""
    with Proxy({"gate": own_redis.port}) as proxy:
        yield proxy


class Crowd:
    """Users who ask at the same time, each on a connection of its own, and wait for the answer."""

    def __init__(self, sale: Sale, server: Seonchak) -> None:
        self.replies: dict[str, http.Reply] = {}

        def ask(user: str) -> None:
            self.replies[user] = sale.issue(server, user)

        self._threads = [threading.Thread(target=ask, args=(f"s{number}",)) for number in range(USERS)]
        for thread in self._threads:
            thread.start()

    def answers(self) -> dict[str, http.Reply]:
        for thread in self._threads:
            thread.join()
        return self.replies


def start_through(proxy: Proxy, sale: Sale) -> Seonchak:
    """A process whose way to Redis leads through the proxy."""
    gate = f"redis://127.0.0.1:{proxy.ports['gate']}/0"
    return replace(sale, gate=gate).start("api", "--ack-timeout-ms", str(ACK_TIMEOUT_MS))


def wait_for_holders(redis: RedisServer, count: int) -> None:
    deadline = time.monotonic() + SETTLE_S
    with redis.client() as client:
        while client.hlen(f"{{coupon:{COUPON}}}:holders") < count:
            assert time.monotonic() < deadline
            time.sleep(0.005)


def lose_everything_and_recover(sale: Sale, redis: RedisServer, server: Seonchak) -> None:
    """Until another process has given the lost sequences to others."""
    redis.client().flushall()
    for number in range(USERS):
        assert sale.answer(server, f"other{number}").status == 201


@pytest.mark.parametrize("turn", range(3))
def test_replies_in_the_socket_of_a_stopped_process_are_not_told(
    sale: Sale, own_redis: RedisServer, proxy: Proxy, turn: int
) -> None:
    sleeper, other = start_through(proxy, sale), sale.start("api")
    coupons.create(other, COUPON, STOCK, ack="gate")
    assert sale.answer(sleeper, "first").status == 201
    proxy.set("gate", "mute")
    crowd = Crowd(sale, sleeper)
    wait_for_holders(own_redis, 2)
    sleeper.pause()
    proxy.set("gate", "pass")
    lose_everything_and_recover(sale, own_redis, other)
    sleeper.resume()
    for user, reply in crowd.answers().items():
        assert reply.status == 503, (user, reply.status, reply.text)
        assert "retry-after" in reply.headers
    rows = sale.rows()
    for number in range(USERS):
        reply = sale.answer(sleeper, f"s{number}")
        assert reply.json()["sequence"] not in rows.values()


def test_a_process_that_slept_calls_nothing_pending(sale: Sale, own_redis: RedisServer, proxy: Proxy) -> None:
    """Nobody carries the coupons on, so their users wait; then the process sleeps until their time is up."""
    sleeper, other = start_through(proxy, sale), sale.start("api")
    coupons.create(other, COUPON, STOCK, ack="store")
    crowd = Crowd(sale, sleeper)
    wait_for_holders(own_redis, USERS)
    sleeper.pause()
    own_redis.client().flushall()
    assert sale.answer(other, "other").status == 202
    sleeper.resume()
    for user, late in crowd.answers().items():
        assert late.status == 503, (user, late.status, late.text)


def test_a_process_that_is_awake_calls_them_pending(sale: Sale, own_redis: RedisServer, proxy: Proxy) -> None:
    server = start_through(proxy, sale)
    coupons.create(server, COUPON, STOCK, ack="store")
    assert {reply.status for reply in Crowd(sale, server).answers().values()} == {202}
