"""Triggers and constraints of the shop's own that hang over one coupon, or refuse it: the others go on."""

import threading
import time

from harness import coupons, http
from harness.seonchak import Seonchak
from harness.shop import Shop
from harness.wait import eventually

SICK, WELL = "sick", "well"
# A statement of one coupon's is given up after three seconds, and one more on the way to it.
FIRST_S = 12.0
WATCH_S = 25.0
RECOVERED_S = 15.0
CHANGE_S = 3.0

HANGS = """
CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.{column} = 'sick' THEN PERFORM pg_sleep(60); END IF; RETURN NEW; END $$
"""


def start_with_both(shop: Shop, ack: str = "gate") -> Seonchak:
    server = shop.start()
    for coupon in (SICK, WELL):
        coupons.create(server, coupon, ack=ack)
        assert coupons.issue(server, coupon, "first").status == 201
    shop.wait_saved(1, SICK, WELL)
    return server


def hang_rows(shop: Shop) -> None:
    shop.execute(HANGS.format(column="coupon_id"))
    shop.execute("CREATE TRIGGER hang BEFORE INSERT ON user_coupon FOR EACH ROW EXECUTE FUNCTION hang()")


def hang_changes(shop: Shop) -> None:
    shop.execute(HANGS.format(column="id"))
    shop.execute("CREATE TRIGGER hang BEFORE UPDATE ON coupon FOR EACH ROW EXECUTE FUNCTION hang()")


def end_hanging(shop: Shop) -> None:
    shop.execute(
        "CREATE OR REPLACE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$"
    )


def is_back(server: Seonchak, coupon: str) -> None:
    eventually(lambda: coupons.issue(server, coupon, "first").status == 200, f"{coupon} is back", RECOVERED_S)


def test_rows_that_hang_keep_others_waiting_now_and_then_only(shop: Shop) -> None:
    server = start_with_both(shop, "store")
    hang_rows(shop)
    threading.Thread(target=coupons.issue, args=(server, SICK, "hangs"), daemon=True).start()
    time.sleep(FIRST_S)
    until = time.monotonic() + WATCH_S
    told = []
    while time.monotonic() < until:
        began = time.monotonic()
        reply = coupons.issue(server, WELL, f"u{len(told)}")
        told.append((reply.status, time.monotonic() - began))
        time.sleep(0.2)
    slow = [one for one in told if one[0] != 201 or one[1] > 1.0]
    assert len(told) > 50, told
    assert len(slow) <= 3, slow
    end_hanging(shop)
    eventually(lambda: coupons.issue(server, SICK, "hangs").status == 200, "its row is saved", 60.0)


def test_a_recovery_whose_rows_hang_keeps_no_other_from_its_own(shop: Shop) -> None:
    server = start_with_both(shop)
    hang_rows(shop)
    assert coupons.issue(server, SICK, "hangs").status == 201
    shop.forget_gate()
    is_back(server, WELL)
    assert coupons.issue(server, SICK, "first").status == 503
    end_hanging(shop)
    eventually(lambda: coupons.issue(server, SICK, "hangs").status == 200, "it is recovered, too", 60.0)


def test_a_row_whose_change_hangs_keeps_no_other_from_its_recovery(shop: Shop) -> None:
    server = start_with_both(shop)
    hang_changes(shop)
    shop.forget_gate()
    is_back(server, WELL)
    end_hanging(shop)
    is_back(server, SICK)


def test_a_change_that_hangs_keeps_no_other_waiting_for_long(shop: Shop) -> None:
    server = start_with_both(shop)
    hang_changes(shop)
    statuses = []

    def change_sick() -> None:
        reply = http.call(server.address, "PATCH", f"/v1/coupons/{SICK}", body={"stock": 2_000})
        statuses.append(reply.status)

    for stock in (2_000, 3_000, 4_000):
        hung = threading.Thread(target=change_sick)
        hung.start()
        time.sleep(0.1)
        began = time.monotonic()
        assert http.call(server.address, "PATCH", f"/v1/coupons/{WELL}", body={"stock": stock}).status == 200
        assert time.monotonic() - began < CHANGE_S
        hung.join()
    assert statuses == [503] * 3


def test_a_row_that_breaks_a_constraint_keeps_no_other_from_its_recovery(shop: Shop) -> None:
    server = start_with_both(shop)
    shop.execute("ALTER TABLE coupon ADD CONSTRAINT none CHECK (id <> 'sick') NOT VALID")
    shop.forget_gate()
    is_back(server, WELL)
    shop.execute("ALTER TABLE coupon DROP CONSTRAINT none")
    is_back(server, SICK)
