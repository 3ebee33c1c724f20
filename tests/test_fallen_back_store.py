"""Rows of coupons that are deleted, or are what they were before, while the processes run."""

import time

import psycopg
import pytest
from harness import coupons, http
from harness.seonchak import Seonchak
from harness.shop import Shop
from harness.wait import eventually

TABLES = ("coupon", "user_coupon", "log_position", "testimony", "recording", "late_claim", "lease")

# What has fallen back is looked for every 5 s.
NOTICED_S = 20.0
STOCK = 30


def row(shop: Shop, coupon: str) -> tuple[int, int, str]:
    """Revision, stock and status."""
    query = "SELECT revision, stock, status FROM coupon WHERE id = %s"
    with psycopg.connect(shop.database) as connection:
        found = connection.execute(query, [coupon]).fetchone()
    assert found is not None
    return found


def set_back(shop: Shop, coupon: str, row: tuple[int, int, str]) -> None:
    shop.execute("UPDATE coupon SET revision = %s, stock = %s, status = %s WHERE id = %s", *row, coupon)


def dump_of(shop: Shop) -> dict[str, bytes]:
    """All its tables at one moment."""
    with psycopg.connect(shop.database) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        tables = {}
        for table in TABLES:
            with connection.cursor().copy(f"COPY {table} TO STDOUT") as copy:
                tables[table] = b"".join(copy)
    return tables


def restore(shop: Shop, tables: dict[str, bytes]) -> None:
    with psycopg.connect(shop.database) as connection:
        connection.execute(f"TRUNCATE {', '.join(tables)}")
        for table, rows in tables.items():
            with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                copy.write(rows)


def patch(server: Seonchak, coupon: str, stock: int) -> None:
    reply = http.call(server.address, "PATCH", f"/v1/coupons/{coupon}", body={"stock": stock})
    assert reply.status == 200, reply.text


def assert_kept(servers: list[Seonchak], coupon: str, issued: dict[str, int]) -> None:
    """Each answers every holder with the sequence of the first time."""
    for server in servers:
        found = {user: coupons.answer(server, coupon, user) for user in issued}
        assert {reply.status for reply in found.values()} == {200}, [r.text for r in found.values()][:3]
        assert {user: reply.json()["sequence"] for user, reply in found.items()} == issued


def sell_the_rest(server: Seonchak, coupon: str, name: str) -> dict[str, int]:
    """To new users, until it is sold out."""
    sold = {}
    for user in coupons.users(name, 10 * STOCK):
        reply = coupons.answer(server, coupon, user)
        if reply.status != 201:
            assert reply.json()["code"] == "sold_out", reply.text
            break
        sold[user] = reply.json()["sequence"]
    return sold


def test_every_process_hears_of_a_fence_after_the_newest_row_was_deleted(shop: Shop) -> None:
    """What only a process remembers must be written down when it hears of the recovery."""
    one, two = shop.start("api"), shop.start("api")
    coupons.create(one, "kept", STOCK)
    coupons.create(one, "deleted", STOCK)
    for stock in range(STOCK, STOCK - 10, -1):
        patch(one, "deleted", stock)
    issued = {
        user: coupons.answer(server, "kept", user).json()["sequence"]
        for server in (one, two)
        for user in coupons.users(f"of{server.port}", 5)
    }
    eventually(lambda: coupons.view(two, "deleted")["stock"] == STOCK - 9, "the other process knows it")
    shop.execute("DELETE FROM coupon WHERE id = 'deleted'")
    shop.forget_gate()

    assert_kept([one, two], "kept", issued)
    shop.start("relay,consumer")
    everyone = {**issued, **sell_the_rest(one, "kept", "late")}
    assert len(everyone) == STOCK
    coupons.wait_for_rows(shop.database, "kept", everyone)


def test_a_coupon_made_after_the_newest_row_was_deleted_is_known_everywhere(shop: Shop) -> None:
    one, two = shop.start("api"), shop.start("api")
    coupons.create(one, "deleted")
    for stock in range(900, 890, -1):
        patch(one, "deleted", stock)
    eventually(lambda: coupons.view(two, "deleted")["stock"] == 891, "the other process knows it")
    shop.execute("DELETE FROM coupon WHERE id = 'deleted'")
    coupons.create(one, "new", STOCK)
    for server in (one, two):
        assert coupons.answer(server, "new", f"u{server.port}").status == 201
    for server in (one, two):
        eventually(
            lambda server=server: coupons.issue(server, "deleted", "u").status == 404,
            "the deleted coupon is as an unknown one",
            NOTICED_S,
        )


def test_a_change_has_effect_when_its_row_was_set_back(shop: Shop) -> None:
    one, two = shop.start(), shop.start("api")
    for coupon in ("lowered", "closed"):
        coupons.create(one, coupon, 10)
        before = row(shop, coupon)
        for stock in (20, 19, 18):
            patch(one, coupon, stock)
        coupons.issue_to(one, coupon, coupons.users("u", 3))
        set_back(shop, coupon, before)
    patch(one, "lowered", 4)
    assert http.call(one.address, "POST", "/v1/coupons/closed/close").status == 200
    statuses = [coupons.answer(two, "lowered", user).status for user in coupons.users("late", 3)]
    assert statuses == [201, 409, 409]
    for server in (one, two):
        refused = coupons.answer(server, "closed", "late")
        assert (refused.status, refused.json()["code"]) == (403, "closed"), refused.text


def test_what_is_issued_stays_when_its_stock_was_set_back(shop: Shop) -> None:
    one, two = shop.start(), shop.start("api")
    coupons.create(one, "c", 5)
    before = row(shop, "c")
    patch(one, "c", 12)
    issued = coupons.issue_to(one, "c", coupons.users("u", 9))
    coupons.wait_for_rows(shop.database, "c", issued)
    set_back(shop, "c", before)

    eventually(lambda: row(shop, "c")[1] == 9, "the stock is what was issued", NOTICED_S)
    assert coupons.answer(two, "c", "late").json()["code"] == "sold_out"
    shop.forget_gate()
    assert_kept([one, two], "c", issued)
    assert coupons.answer(one, "c", "later").json()["code"] == "sold_out"
    coupons.wait_for_rows(shop.database, "c", issued)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("recovered", [False, True], ids=["same epoch", "epoch fell back"])
def test_a_dump_is_restored_while_the_processes_run(shop: Shop, recovered: bool) -> None:
    one, two = shop.start(), shop.start()
    coupons.create(one, "a", STOCK)
    issued = coupons.issue_to(one, "a", coupons.users("first", 5))
    coupons.wait_for_rows(shop.database, "a", issued)
    dump = dump_of(shop)

    if recovered:
        shop.forget_gate()
        assert_kept([one, two], "a", issued)
    issued |= coupons.issue_to(two, "a", coupons.users("second", 5))
    coupons.create(one, "b", STOCK)
    coupons.issue_to(one, "b", coupons.users("first", 5))
    coupons.wait_for_rows(shop.database, "a", issued)
    restore(shop, dump)
    coupons.wait_for_rows(shop.database, "a", issued)

    third = {user: coupons.answer(one, "a", user).json()["sequence"] for user in coupons.users("third", 5)}
    issued |= third
    for server in (one, two):
        eventually(
            lambda server=server: coupons.issue(server, "b", "late").status == 404,
            "a coupon that the dump does not have is as an unknown one",
            NOTICED_S,
        )
    assert_kept([one, two], "a", issued)
    shop.forget_gate()
    assert_kept([one, two], "a", issued)
    everyone = {**issued, **sell_the_rest(two, "a", "last")}
    assert len(everyone) == STOCK
    coupons.wait_for_rows(shop.database, "a", everyone)
    opened = coupons.epochs(shop.database, "a")
    time.sleep(1.0)
    assert coupons.epochs(shop.database, "a") == opened, "it is recovered again and again"
    reply = http.call(two.address, "POST", "/v1/coupons/a/close")
    assert reply.status == 200, reply.text
    assert coupons.answer(one, "a", "too-late").json()["code"] == "closed"


@pytest.mark.parametrize("recovered", [False, True], ids=["first epoch", "later epoch"])
def test_a_row_that_is_older_than_its_opening_is_open_again(shop: Shop, recovered: bool) -> None:
    one, two = shop.start(), shop.start("api")
    coupons.create(one, "c", STOCK)
    issued = coupons.issue_to(one, "c", coupons.users("first", 5))
    if recovered:
        shop.forget_gate()
        assert_kept([one, two], "c", issued)
    coupons.wait_for_rows(shop.database, "c", issued)
    # Drawn twice by somebody who died each time before the gate had heard of it.
    shop.execute("UPDATE coupon SET epoch = 2, settled = 0, revision = 1 WHERE id = 'c'")

    def is_issued_again() -> bool:
        return coupons.issue(one, "c", "later").status in (200, 201)

    eventually(is_issued_again, "the coupon is open again", NOTICED_S)
    assert_kept([one, two], "c", issued)
    everyone = {**issued, "later": coupons.answer(one, "c", "later").json()["sequence"]}
    everyone |= sell_the_rest(two, "c", "last")
    assert len(everyone) == STOCK
    coupons.wait_for_rows(shop.database, "c", everyone)
