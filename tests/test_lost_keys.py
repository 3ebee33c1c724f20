"""A key of a coupon, or a field of its state, is lost in Redis: nobody gets two, and nobody loses one."""

import pytest
from harness.recovery import COUPON, Sale
from harness.servers import RedisServer

KEYS = ["state", "holders", "outbox", "relay"]
STATE = f"{{coupon:{COUPON}}}:state"
FIELDS = [
    *("stock", "sequence", "opens_at", "closes_at", "closed", "epoch"),
    *("revision", "created_at", "published", "persisted", "holders"),
]
REBUILT_FIELDS = ["rebuilt", "pending"]


def lose(redis: RedisServer, key: str) -> None:
    redis.client().delete(f"{{coupon:{COUPON}}}:{key}")


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_lost_when_all_is_saved(sale: Sale, own_redis: RedisServer, key: str) -> None:
    server = sale.start()
    sale.create(server)
    issued = sale.issue_all(server, 0, 30)
    sale.wait_until(server, "persisted", 30)
    lose(own_redis, key)
    sale.wait_for_rows(sale.sell_the_rest(server, issued))


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_lost_before_anything_is_saved(sale: Sale, own_redis: RedisServer, key: str) -> None:
    server = sale.start("api")
    sale.create(server)
    issued = sale.issue_all(server, 0, 30)
    lose(own_redis, key)
    everyone = sale.sell_the_rest(server, issued)
    sale.start("relay,consumer")
    sale.wait_for_rows(everyone)


@pytest.mark.parametrize("key", KEYS)
def test_what_the_other_keys_have_needs_no_witness(sale: Sale, own_redis: RedisServer, key: str) -> None:
    first = sale.start("api")
    sale.create(first)
    issued = sale.issue_all(first, 0, 30)
    first.kill9()
    lose(own_redis, key)
    server = sale.start("api")
    everyone = sale.sell_the_rest(server, issued)
    sale.start("relay,consumer")
    sale.wait_for_rows(everyone)


def test_new_users_come_first_after_the_holders_are_lost(sale: Sale, own_redis: RedisServer) -> None:
    server = sale.start()
    sale.create(server)
    issued = sale.issue_all(server, 0, 45)
    sale.wait_until(server, "persisted", 45)
    lose(own_redis, "holders")
    for number in range(100, 105):
        reply = sale.answer(server, f"u{number}")
        assert reply.status == 201, reply.text
        issued[f"u{number}"] = reply.json()["sequence"]
    assert sale.answer(server, "late").json()["code"] == "sold_out"
    sale.wait_for_rows(sale.sell_the_rest(server, issued))


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_of_the_state_is_lost(sale: Sale, own_redis: RedisServer, field: str) -> None:
    server = sale.start()
    sale.create(server)
    issued = sale.issue_all(server, 0, 30)
    assert own_redis.client().hdel(STATE, field) == 1
    sale.wait_for_rows(sale.sell_the_rest(server, issued))


@pytest.mark.parametrize("field", ["stock", "sequence", "persisted", "closed"])
def test_a_field_of_the_state_is_garbled(sale: Sale, own_redis: RedisServer, field: str) -> None:
    first = sale.start("api")
    sale.create(first)
    issued = sale.issue_all(first, 0, 30)
    first.kill9()
    own_redis.client().hset(STATE, field, "many")
    server = sale.start()
    sale.wait_for_rows(sale.sell_the_rest(server, issued))


@pytest.mark.parametrize("field", REBUILT_FIELDS)
def test_a_field_that_a_recovery_wrote_is_lost(sale: Sale, own_redis: RedisServer, field: str) -> None:
    server = sale.start("api")
    sale.create(server)
    issued = sale.issue_all(server, 0, 30)
    lose(own_redis, "outbox")
    issued["again"] = sale.answer(server, "again").json()["sequence"]
    assert own_redis.client().hdel(STATE, field) == 1
    everyone = sale.sell_the_rest(server, issued)
    sale.start("relay,consumer")
    sale.wait_for_rows(everyone)
