"""A Redis whose clock goes wrong for a moment closes no coupon for longer than that moment."""

import datetime
import time
from collections.abc import Iterator

import pytest
from harness import http
from harness.recovery import COUPON, Sale, sale_of
from harness.seonchak import Seonchak, Serve
from harness.servers import RedisServer, SharedServer
from harness.shifted_clock import ShiftedClock

GLITCH_S = 3.0
AHEAD_S = 2 * 3_600
OPEN_AGAIN_S = 2.5


class GlitchingRedis(RedisServer):
    """A Redis with a clock that can be moved."""

    def __init__(self, clock: ShiftedClock) -> None:
        super().__init__()
        self.clock = clock

    def environment(self) -> dict[str, str]:
        return {**super().environment(), **self.clock.variables}


@pytest.fixture
def redis() -> Iterator[GlitchingRedis]:
    """With a clock of its own."""
    clock = ShiftedClock()
    with GlitchingRedis(clock) as server:
        yield server
    clock.close()


def until_refused_from_memory(sale: Sale, server: Seonchak, code: str) -> None:
    name = "seonchak_refused_from_memory_total"
    before = server.metrics()[name]
    number = 0
    while server.metrics()[name] == before:
        number += 1
        reply = sale.issue(server, f"early{number}")
        assert reply.json()["code"] == code


def test_closed_by_a_glitch_is_open_again(
    serve: Serve, redis: GlitchingRedis, kafka_server: SharedServer, topic: str, database: str
) -> None:
    sale = sale_of(serve, redis.address, f"kafka://{kafka_server.address}/{topic}", database, topic)
    servers = [sale.start(), sale.start("api")]
    closes = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    body = {"id": COUPON, "name": "Test", "stock": 50, "closesAt": closes.isoformat()}
    assert http.call(servers[0].address, "POST", "/v1/coupons", body=body).status == 201
    issued = sale.issue_all(servers[0], 0, 5)
    redis.clock.set(AHEAD_S)
    glitch_ends = time.monotonic() + GLITCH_S
    for server in servers:
        until_refused_from_memory(sale, server, "closed")
    time.sleep(max(0.0, glitch_ends - time.monotonic()))
    redis.clock.set(0)
    ended = time.monotonic()
    for number, server in enumerate(servers):
        while (reply := sale.issue(server, f"after{number}")).status != 201:
            assert reply.json()["code"] == "closed"
            assert time.monotonic() < ended + OPEN_AGAIN_S
            time.sleep(0.05)
        for user, sequence in issued.items():
            assert sale.issue(server, user).json()["sequence"] == sequence
