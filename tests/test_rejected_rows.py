"""One row that the database rejects: its user is not told that he has it, and nobody else waits for it."""

import sqlite3
import time

import pytest
from harness import coupons, http
from harness.seonchak import Seonchak, Serve
from harness.shop import Shop
from harness.wait import eventually

RECOVERED_S = 30.0
RECORDED_S = 3.0


def sell_with_a_bad_one(shop: Shop, ack: str) -> tuple[Seonchak, dict[str, http.Reply]]:
    """User "bad" asks first; a constraint of the shop's own wants no row of his."""
    server = shop.start()
    coupons.create(server, "c", ack=ack)
    assert coupons.issue(server, "c", "first").status == 201
    shop.wait_saved(1, "c")
    shop.execute("ALTER TABLE user_coupon ADD CONSTRAINT none CHECK (user_id <> 'bad') NOT VALID")
    told = {user: coupons.issue(server, "c", user) for user in ("bad", "good", "better")}
    shop.wait_saved(3, "c")
    return server, told


def test_an_answer_with_ack_store_has_a_row(shop: Shop) -> None:
    server, told = sell_with_a_bad_one(shop, "store")
    assert [told[user].status for user in ("good", "better")] == [201, 201]
    assert told["bad"].status == 202, told["bad"].text
    other = shop.start("api")
    for process in (server, other):
        assert coupons.issue(process, "c", "bad").status == 202
        assert coupons.issue(process, "c", "good").status == 200


def test_embedded_an_answer_with_ack_store_has_a_row(serve: Serve) -> None:
    server = serve("--store", "sqlite:x.db")
    for coupon in ("other", "c"):
        coupons.create(server, coupon)
    assert coupons.issue(server, "other", "bad").status == 201
    assert coupons.issue(server, "c", "first").status == 201
    with sqlite3.connect(server.folder / "x.db") as connection:
        connection.execute("CREATE UNIQUE INDEX one_coupon_each ON user_coupon (user_id)")
    assert coupons.issue(server, "c", "bad").status == 503
    assert coupons.issue(server, "c", "good").status == 201


@pytest.mark.parametrize("ack", ["gate", "store"])
def test_its_coupon_is_recovered(shop: Shop, ack: str) -> None:
    server, _ = sell_with_a_bad_one(shop, ack)
    shop.forget_gate()
    eventually(lambda: coupons.issue(server, "c", "good").status == 200, "c is recovered", RECOVERED_S)
    assert coupons.issue(server, "c", "new").status == 201
    shop.wait_saved(4, "c")


def test_a_coupon_is_recovered_that_has_nothing_else_to_save(shop: Shop) -> None:
    server = shop.start()
    coupons.create(server, "c")
    coupons.wait_for_rows(shop.database, "c", coupons.issue_to(server, "c", coupons.users("u", 5)))
    shop.execute("ALTER TABLE user_coupon ADD CONSTRAINT none CHECK (user_id <> 'bad') NOT VALID")
    time.sleep(RECORDED_S)  # until this process need not remember the others any more
    assert coupons.issue(server, "c", "bad").status == 201
    shop.forget_gate()
    eventually(lambda: coupons.issue(server, "c", "u-0").status == 200, "c is recovered", RECOVERED_S)
    assert coupons.issue(server, "c", "new").status == 201
    shop.wait_saved(6, "c")
    eventually(lambda: server.metrics()["seonchak_lost_holders_total"] == 1, "one is lost, and told")


def test_thousands_of_them_hold_up_nobody_else(shop: Shop) -> None:
    server = shop.start()
    for coupon, ack in (("sick", "gate"), ("well", "gate"), ("eager", "store")):
        coupons.create(server, coupon, 10_000, ack=ack)
        assert coupons.issue(server, coupon, "first").status == 201
    shop.wait_saved(1, "sick", "well", "eager")
    shop.execute("ALTER TABLE user_coupon ADD CONSTRAINT none CHECK (coupon_id <> 'sick') NOT VALID")
    requests = [http.issue("sick", user) for user in coupons.users("u", 4_000)]
    assert {answer.status for answer in http.load(server.address, requests, connections=32)} == {201}
    assert coupons.issue(server, "eager", "second").status == 201
    assert coupons.issue(server, "well", "second").status == 201
    shop.wait_saved(2, "well", within_s=4.0)
    letters = "seonchak_consumer_dead_letters_total"
    eventually(lambda: server.metrics()[letters] >= 4_000, "they become dead letters", 40.0)
