"""Coupons that can't be opened cost next to nothing, and the others nothing at all."""

import time
from collections import Counter
from collections.abc import Callable

import psycopg
import pytest
from harness import coupons, http
from harness.recovery import COUPON
from harness.seonchak import Seonchak, Serve
from harness.servers import RedisServer

STUCK = 1_500
# What is stuck is tried less and less often; PostgreSQL counts an idle session's commits up to 10 s late.
SETTLE_S = 12.0
WATCH_S = 6.0
COMMITS_PER_S_MAX = 20.0
LOG_LINES_MAX = 60
CLAIM_PAUSE_S = 0.02
OPENS_S = 15.0
STOCK = 10_000

INSERT_STUCK = """
    INSERT INTO coupon (id, name, stock, ack, created_at, revision)
    SELECT 'stuck-' || n, 'stuck', 10, 'gate', now(), (SELECT coalesce(max(revision), 0) FROM coupon) + n
    FROM generate_series(1, %s) AS n
"""


def commits(database: str) -> int:
    """Of this database so far; the question itself is one."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        query = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def changed_rows(database: str) -> int:
    """How many changes of coupons there have been."""
    with psycopg.connect(database) as connection:
        query = "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'coupon'"
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def foreign_state(redis: RedisServer) -> None:
    """Somebody else's keys where the coupons' states would be."""
    with redis.client() as client, client.pipeline(transaction=False) as pipe:
        for number in range(1, STUCK + 1):
            pipe.set(f"{{coupon:stuck-{number}}}:state", "x")
        pipe.execute()


def foreign_holders(redis: RedisServer) -> None:
    """No state, but holders: what is left of coupons that another store knew."""
    with redis.client() as client, client.pipeline(transaction=False) as pipe:
        for number in range(1, STUCK + 1):
            pipe.hset(f"{{coupon:stuck-{number}}}:holders", "somebody", "1")
        pipe.execute()


def insert_stuck(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(INSERT_STUCK, [STUCK])


def claim(server: Seonchak, user: str) -> int:
    return coupons.issue(server, COUPON, user).status


def claim_for(server: Seonchak, seconds: float) -> Counter[int]:
    """Asks for the good coupon again and again; the statuses."""
    statuses: Counter[int] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        statuses[claim(server, f"u{statuses.total()}-{until}")] += 1
        time.sleep(CLAIM_PAUSE_S)
    return statuses


@pytest.mark.timeout(120)
@pytest.mark.parametrize("poison", [foreign_state, foreign_holders])
def test_coupons_that_cannot_open_disturb_nobody(
    serve: Serve, own_redis: RedisServer, database: str, poison: Callable[[RedisServer], None]
) -> None:
    server = serve("--gate", own_redis.address, "--store", database, "--gate-fails-over")
    coupons.create(server, COUPON, STOCK)
    poison(own_redis)
    lines_before = server.log_text().count("\n")
    insert_stuck(database)

    statuses = claim_for(server, SETTLE_S)
    before, changed = commits(database), changed_rows(database)
    watched = claim_for(server, WATCH_S)
    statuses += watched
    while_stuck = commits(database) - before
    more_changes = changed_rows(database) - changed

    # What is issued is read and saved all the same: those commits are not the stuck ones'.
    of_stuck = (while_stuck - watched.total()) / WATCH_S
    lines = server.log_text().count("\n") - lines_before
    seen = f"{statuses}, {of_stuck:.0f} commits/s, {more_changes / WATCH_S:.0f} changes/s, {lines} lines"
    assert set(statuses) == {201}, seen
    assert more_changes / WATCH_S < COMMITS_PER_S_MAX, seen
    assert of_stuck < COMMITS_PER_S_MAX, seen
    assert lines < LOG_LINES_MAX, seen

    number = STUCK // 2
    with own_redis.client() as client:
        client.delete(f"{{coupon:stuck-{number}}}:state", f"{{coupon:stuck-{number}}}:holders")
    opened = http.encode("POST", f"/v1/coupons/stuck-{number}/issue", {"X-User-Id": "u"})
    deadline = time.monotonic() + OPENS_S
    while http.load(server.address, [opened])[0].status != 201:
        assert time.monotonic() < deadline, "it does not open, though nothing is in its way any more"
        time.sleep(CLAIM_PAUSE_S)
