"""What another member of the group has not read yet is not lost: only who reads a partition can say that."""

import time
from dataclasses import dataclass

import psycopg
import pytest
from harness.coupons import create, issue_to, rows, users, wait_for_rows
from harness.seonchak import Seonchak, Serve
from harness.servers import RedisServer, SharedServer
from harness.wait import eventually

LOST = "seonchak_consumer_lost_by_log_total"
# An entry counts as lost when it has been missing, and the log quiet, for 5 s.
LONGER_THAN_OVERDUE_S = 9.0
# A dead member's partition has no reader for so long.
SESSION_MS = 12_000


@dataclass
class Two:
    """Two processes and one partition."""

    owner: Seonchak
    other: Seonchak
    database: str

    def lost(self) -> list[float]:
        return [server.metrics()[LOST] for server in (self.owner, self.other)]


@pytest.fixture
def two(serve: Serve, own_redis: RedisServer, kafka_server: SharedServer, topic: str, database: str) -> Two:
    log = f"kafka://{kafka_server.address}/{topic}"
    flags = ("--gate", own_redis.address, "--log", log, "--store", database, "--log-group", topic)
    flags += ("--log-option", f"session.timeout.ms={SESSION_MS}")
    both = [serve(*flags), serve(*flags)]

    def partitions() -> list[float]:
        return [server.metrics()["seonchak_consumer_partitions"] for server in both]

    eventually(lambda: sorted(partitions()) == [0, 1], "one of them owns the partition")
    owner = partitions().index(1)
    return Two(both[owner], both[1 - owner], database)


def test_a_dead_member_makes_no_event_look_lost(two: Two) -> None:
    create(two.other, "c")
    expected = issue_to(two.other, "c", users("before", 1))
    wait_for_rows(two.database, "c", expected)
    two.owner.kill9()
    expected |= issue_to(two.other, "c", users("after", 5))
    wait_for_rows(two.database, "c", expected)
    assert two.other.metrics()[LOST] == 0


def test_a_member_that_lags_makes_no_event_look_lost(two: Two) -> None:
    coupons = [f"c{n}" for n in range(5)]
    expected = {}
    for coupon in coupons:
        create(two.owner, coupon)
        expected[coupon] = issue_to(two.owner, coupon, users("before", 1))
    for coupon in coupons:
        wait_for_rows(two.database, coupon, expected[coupon])
    with psycopg.connect(two.database) as holder:
        holder.execute("LOCK TABLE user_coupon IN SHARE ROW EXCLUSIVE MODE")
        for coupon in coupons:
            expected[coupon] |= issue_to(two.owner, coupon, users("after", 5))
        time.sleep(LONGER_THAN_OVERDUE_S)
        assert rows(two.database, "c0").keys() == {"before-0"}
        holder.rollback()
    for coupon in coupons:
        wait_for_rows(two.database, coupon, expected[coupon])
    assert two.lost() == [0, 0]
