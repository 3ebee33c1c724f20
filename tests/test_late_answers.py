"""A process that slept through a recovery tells nobody of a coupon that was lost meanwhile."""

import threading
import time
from collections.abc import Iterator

import pytest
from harness import http
from harness.proxy import Proxy
from harness.recovery import COUPON, SETTLE_S, STOCK, Sale, sale_of
from harness.seonchak import Seonchak, Serve
from harness.servers import RedisServer, SharedServer

USERS = 8
ACK_TIMEOUT_MS = 2_500


@pytest.fixture
def proxy(own_redis: RedisServer) -> Iterator[Proxy]:
    """The way of the process that is to sleep to Redis."""
    with Proxy({"gate": own_redis.port}) as proxy:
        yield proxy


@pytest.fixture
def sale(serve: Serve, own_redis: RedisServer, kafka_server: SharedServer, topic: str, database: str) -> Sale:
    return sale_of(serve, own_redis.address, f"kafka://{kafka_server.address}/{topic}", database, topic)


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


def create(sale: Sale, server: Seonchak, ack: str) -> None:
    body = {"id": COUPON, "name": "Test", "stock": STOCK, "ack": ack}
    assert http.call(server.address, "POST", "/v1/coupons", body=body).status == 201


def through(sale: Sale, proxy: Proxy) -> Sale:
    """The same sale, for a process whose way to Redis leads through the proxy."""
    _, _, *others = sale.flags
    gate = f"redis://127.0.0.1:{proxy.ports['gate']}/0"
    return Sale(sale.serve, ("--gate", gate, *others, "--ack-timeout-ms", str(ACK_TIMEOUT_MS)), sale.database)


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
    sleeper, other = through(sale, proxy).start("api"), sale.start("api")
    create(sale, other, "gate")
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
    sleeper, other = through(sale, proxy).start("api"), sale.start("api")
    create(sale, other, "store")
    crowd = Crowd(sale, sleeper)
    wait_for_holders(own_redis, USERS)
    sleeper.pause()
    own_redis.client().flushall()
    began = time.monotonic()
    while (reply := sale.issue(other, "other")).status == 503:
        assert time.monotonic() < began + SETTLE_S
        time.sleep(0.05)
    assert reply.status == 202
    sleeper.resume()
    for user, late in crowd.answers().items():
        assert late.status == 503, (user, late.status, late.text)


def test_a_process_that_is_awake_calls_them_pending(sale: Sale, own_redis: RedisServer, proxy: Proxy) -> None:
    server = through(sale, proxy).start("api")
    create(sale, server, "store")
    assert {reply.status for reply in Crowd(sale, server).answers().values()} == {202}
