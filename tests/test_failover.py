"""A replica takes over, with and without the last coupons, while the old master is dead, stopped or still up."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from harness.recovery import Sale, sale_of
from harness.seonchak import Serve
from harness.servers import RedisServer, SentinelServer, SharedServer

SETTLE_S = 30.0


@dataclass
class Pair:
    """A master and its replica, watched by a Sentinel."""

    master: RedisServer
    replica: RedisServer
    sentinel: SentinelServer

    def wait_for_failover(self) -> None:
        deadline = time.monotonic() + SETTLE_S
        while self.sentinel.master_port() != self.replica.port:
            assert time.monotonic() < deadline, self.sentinel.log_tail()
            time.sleep(0.1)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with RedisServer(repl_diskless_sync_delay=0) as master:
        with RedisServer(replicaof=f"127.0.0.1 {master.port}") as replica:
            with SentinelServer(master) as sentinel:
                yield Pair(master, replica, sentinel)


@pytest.fixture
def sale(serve: Serve, pair: Pair, kafka_server: SharedServer, topic: str, database: str) -> Sale:
    return sale_of(serve, pair.sentinel.address, f"kafka://{kafka_server.address}/{topic}", database, topic)


def wait_for_replica(pair: Pair) -> None:
    with pair.master.client() as client:
        assert client.wait(1, 10_000) == 1


def test_a_master_that_dies_is_replaced(sale: Sale, pair: Pair) -> None:
    server = sale.start()
    sale.create(server)
    issued = sale.issue_all(server, 0, 20)
    wait_for_replica(pair)
    pair.master.kill()
    sale.wait_for_rows(sale.sell_the_rest(server, issued))


def test_what_the_replica_lacks_comes_from_the_api_process(sale: Sale, pair: Pair) -> None:
    server = sale.start("api")
    sale.create(server)
    issued = sale.issue_all(server, 0, 10)
    wait_for_replica(pair)
    pair.replica.pause()
    issued |= sale.issue_all(server, 10, 20)
    pair.master.kill()
    pair.replica.resume()
    everyone = sale.sell_the_rest(server, issued)
    sale.start("relay,consumer")
    sale.wait_for_rows(everyone)


def test_two_masters_at_once_issue_no_more_than_one(sale: Sale, pair: Pair) -> None:
    """The Sentinel promotes the replica while the old master goes on answering whoever still asks it."""
    server = sale.start()
    sale.create(server)
    issued = sale.issue_all(server, 0, 20)
    wait_for_replica(pair)
    with pair.replica.client() as client:
        client.replicaof("NO", "ONE")
    issued |= {
        f"u{number}": reply.json()["sequence"]
        for number in range(20, 30)
        if (reply := sale.issue(server, f"u{number}")).status == 201
    }
    with pair.sentinel.client() as client:
        client.sentinel_remove(SentinelServer.MASTER)
        client.sentinel_monitor(SentinelServer.MASTER, "127.0.0.1", pair.replica.port, 1)
    sale.wait_for_rows(sale.sell_the_rest(server, issued))
