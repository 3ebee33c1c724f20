"""A replica takes over, with and without the last coupons, while the old master is dead or still up."""

from collections.abc import Iterator

import pytest
from harness.recovery import Sale
from harness.sentinel import MASTER_NAME, ReplicatedRedis, Sentinel
from harness.seonchak import Serve
from harness.servers import SharedServer


@pytest.fixture
def sentinel() -> Iterator[Sentinel]:
    """Watches a master and its replica."""
    with (
        ReplicatedRedis() as master,
        ReplicatedRedis(master) as replica,
        Sentinel([master, replica]) as started,
    ):
        started.wait_in_step()
        yield started


@pytest.fixture
def sale(serve: Serve, sentinel: Sentinel, kafka_server: SharedServer, topic: str, database: str) -> Sale:
    return Sale(serve, sentinel.gate, f"kafka://{kafka_server.address}/{topic}", database, topic)


def test_a_master_that_dies_is_replaced(sale: Sale, sentinel: Sentinel) -> None:
    server = sale.start()
    sale.create(server)
    issued = sale.issue_all(server, 0, 20)
    with sentinel.master.client() as client:
        assert client.wait(1, 10_000) == 1
    sentinel.master.kill()
    sale.wait_for_rows(sale.sell_the_rest(server, issued))


def test_what_the_replica_lacks_comes_from_the_api_process(sale: Sale, sentinel: Sentinel) -> None:
    server = sale.start("api")
    sale.create(server)
    issued = sale.issue_all(server, 0, 10)
    with sentinel.master.client() as client:
        assert client.wait(1, 10_000) == 1
    sentinel.master.admit_replicas(admit=False)
    issued |= sale.issue_all(server, 10, 20)
    sentinel.master.kill()
    everyone = sale.sell_the_rest(server, issued)
    sale.start("relay,consumer")
    sale.wait_for_rows(everyone)


def test_two_masters_at_once_issue_no_more_than_one(sale: Sale, sentinel: Sentinel) -> None:
    """The replica becomes a master while the old one goes on answering whoever still asks it."""
    server = sale.start()
    sale.create(server)
    issued = sale.issue_all(server, 0, 20)
    old, new = sentinel.nodes
    with old.client() as client:
        assert client.wait(1, 10_000) == 1
    with new.client() as client:
        client.replicaof("NO", "ONE")
    issued |= sale.issue_all(server, 20, 30)
    with sentinel.client() as client:
        client.sentinel_remove(MASTER_NAME)
        client.sentinel_monitor(MASTER_NAME, "127.0.0.1", new.port, 1)
    assert old.client().ping(), "the old one is still up"
    sale.wait_for_rows(sale.sell_the_rest(server, issued))
