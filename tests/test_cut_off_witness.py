"""A process whose own link to Redis hangs still says what it has answered, in time for who recovers."""

import time
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from harness import coupons
from harness.proxy import Mode, Proxy
from harness.recovery import COUPON, Sale
from harness.servers import RedisServer
from harness.wait import eventually

FULL_S = 4.0
TAKE_NO_ROWS = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON recording FOR EACH ROW EXECUTE FUNCTION full_disk();
"""
LINK = "redis"
LARGE = "large"
CLAIMS = 30_000


@pytest.fixture
def proxy(own_redis: RedisServer) -> Iterator[Proxy]:
    """The link of one process to Redis."""
    with Proxy({LINK: own_redis.port}) as started:
        yield started


@pytest.mark.parametrize("mode", ["cut", "stall", "mute"])
def test_what_a_cut_off_process_has_answered_survives_a_lost_gate(
    sale: Sale, own_redis: RedisServer, proxy: Proxy, mode: Mode
) -> None:
    """No relay runs, so that only the process itself knows whom it gave a coupon."""
    cut_off = replace(sale, gate=f"redis://127.0.0.1:{proxy.ports[LINK]}/0").start("api")
    other = sale.start("api")
    sale.create(other)
    coupons.create(other, LARGE, 2 * CLAIMS)
    assert coupons.answer(cut_off, COUPON, "u0").status == 201
    assert coupons.answer(cut_off, LARGE, "large-0").status == 201
    issued = {"u0": 1, **sale.issue_all(cut_off, 1, 20)}
    large = {"large-0": 1, **coupons.issue_to(cut_off, LARGE, coupons.users("large", CLAIMS)[1:])}
    proxy.set(LINK, mode)
    own_redis.client().flushall()
    everyone = sale.sell_the_rest(other, issued)
    assert sale.rows().items() >= issued.items(), "what was recovered is settled in the database at once"
    later = coupons.answer(other, LARGE, "later").json()["sequence"]
    assert later > CLAIMS
    assert coupons.rows(sale.database, LARGE).items() >= large.items()
    proxy.set(LINK, "pass")
    sale.start("relay,consumer")
    sale.wait_for_rows(everyone)
    coupons.wait_for_rows(sale.database, LARGE, large | {"later": later})
    for user, sequence in everyone.items():
        assert sale.answer(cut_off, user).json()["sequence"] == sequence


def test_what_is_known_survives_a_database_that_takes_no_new_rows_for_a_while(
    sale: Sale, own_redis: RedisServer
) -> None:
    """As one whose disk is full: a recovery's changes of rows fit, and what processes know does not."""
    server = sale.start("api")
    sale.create(server)
    issued = sale.issue_all(server, 0, 20)
    with psycopg.connect(sale.database, autocommit=True) as shop:
        shop.execute(TAKE_NO_ROWS)
        own_redis.client().flushall()
        eventually(lambda: coupons.epochs(sale.database, COUPON)[0] > 1, "its recovery has begun")
        time.sleep(FULL_S)
        epoch, settled = coupons.epochs(sale.database, COUPON)
        assert settled < epoch, "it waits for the database"
        shop.execute("DROP TRIGGER full_disk ON recording")
    everyone = sale.sell_the_rest(server, issued)
    sale.start("relay,consumer")
    sale.wait_for_rows(everyone)
