"""What Redis forgets comes back by itself, and nobody is answered wrongly meanwhile."""

import shutil
import time

import pytest
from harness import http
from harness.recovery import STOCK, Sale
from harness.servers import RedisServer


def test_everything_forgotten_comes_back_from_the_database(sale: Sale, own_redis: RedisServer) -> None:
    server = sale.start()
    sale.create(server)
    issued = sale.issue_all(server, 0, 30)
    sale.wait_until(server, "persisted", 30)
    own_redis.client().flushall()
    sale.wait_for_rows(sale.sell_the_rest(server, issued))


def test_what_only_the_api_processes_know_comes_back_from_them(sale: Sale, own_redis: RedisServer) -> None:
    first, second = sale.start("api"), sale.start("api")
    sale.create(first)
    issued = sale.issue_all(first, 0, 10)
    issued["v"] = sale.answer(second, "v").json()["sequence"]
    issued |= sale.issue_all(first, 11, 20)
    own_redis.client().flushall()
    everyone = sale.sell_the_rest(second, issued)
    assert sale.rows() == issued, "what was recovered is settled in the database at once"
    sale.start("relay,consumer")
    sale.wait_for_rows(everyone)


def test_what_is_only_in_the_log_comes_back_from_there(sale: Sale, own_redis: RedisServer) -> None:
    server = sale.start("api,relay")
    sale.create(server)
    issued = sale.issue_all(server, 0, 20)
    sale.wait_until(server, "published", 20)
    server.kill()
    own_redis.client().flushall()
    everyone = sale.sell_the_rest(sale.start("api,relay"), issued)
    sale.start("consumer")
    sale.wait_for_rows(everyone)


def test_a_redis_that_is_older_than_it_was_catches_up(sale: Sale, own_redis: RedisServer) -> None:
    server = sale.start()
    sale.create(server)
    issued = sale.issue_all(server, 0, 10)
    own_redis.stop()
    shutil.copytree(own_redis.folder / "appendonlydir", own_redis.folder / "older")
    own_redis.restart()
    assert sale.answer(server, "u0").status == 200
    for number in range(10, 30):
        issued[f"u{number}"] = sale.answer(server, f"u{number}").json()["sequence"]
    own_redis.kill()
    shutil.rmtree(own_redis.folder / "appendonlydir")
    shutil.move(own_redis.folder / "older", own_redis.folder / "appendonlydir")
    own_redis.restart()
    sale.wait_for_rows(sale.sell_the_rest(server, issued))


def test_a_redis_that_lost_nothing_goes_on_where_it_was(sale: Sale, own_redis: RedisServer) -> None:
    server = sale.start()
    sale.create(server)
    issued = sale.issue_all(server, 0, 20)
    own_redis.kill()
    own_redis.restart()
    everyone = sale.sell_the_rest(server, issued)
    assert sorted(everyone.values()) == list(range(1, STOCK + 1))
    sale.wait_for_rows(everyone)


@pytest.mark.parametrize("delay_s", [0.3, 0.9, 1.8, 2.2])
def test_whoever_recovers_may_die_on_the_way(sale: Sale, own_redis: RedisServer, delay_s: float) -> None:
    first, second = sale.start(), sale.start()
    sale.create(first)
    issued = sale.issue_all(first, 0, 15)
    for number in range(15, 30):
        issued[f"u{number}"] = sale.answer(second, f"u{number}").json()["sequence"]
    sale.wait_until(first, "persisted", 30)
    own_redis.client().flushall()
    time.sleep(delay_s)
    first.kill9()
    sale.wait_for_rows(sale.sell_the_rest(second, issued))


def test_many_coupons_come_back(sale: Sale, own_redis: RedisServer) -> None:
    server = sale.start()
    coupons = [f"many-{number}" for number in range(200)]
    for coupon in coupons:
        body = {"id": coupon, "name": "Test", "stock": 2}
        assert http.call(server.address, "POST", "/v1/coupons", body=body).status == 201
    answers = http.load(server.address, [http.issue(coupon, "first") for coupon in coupons])
    assert {answer.status for answer in answers} == {201}
    own_redis.client().flushall()
    began = time.monotonic()
    waiting = coupons
    while waiting:
        assert time.monotonic() - began < 60, f"{len(waiting)} coupons are still shut"
        again = http.load(server.address, [http.issue(coupon, "first") for coupon in waiting])
        assert {answer.status for answer in again} <= {200, 503}
        waiting = [coupon for coupon, answer in zip(waiting, again, strict=True) if answer.status == 503]
        time.sleep(0.2)
