"""Times that somebody else has put into the rows of coupons."""

import psycopg
import pytest
from harness import coupons, http
from harness.seonchak import Seonchak
from harness.shop import Shop
from harness.wait import eventually

SICK, WELL = "sick", "well"
ODD = "none of 'ours"


def set_time(shop: Shop, column: str, text: str) -> None:
    """In the sick coupon's row, as a change that is heard of."""
    with psycopg.connect(shop.database) as connection:
        connection.execute(
            f"UPDATE coupon SET {column} = %s, revision = (SELECT max(revision) + 5 FROM coupon)"
            " WHERE id = %s",
            [text, SICK],
        )


def operators_know_only(server: Seonchak, coupon: str) -> None:
    """What is not served is no more there for them than for users."""
    listed, after = [], ""
    while True:
        page = http.call(server.address, "GET", f"/v1/coupons?limit=1&after={after}").json()
        listed += [one["id"] for one in page["coupons"]]
        after = page.get("next") or ""
        if not after:
            break
    assert listed == [coupon]
    sick = f"/v1/coupons/{SICK}"
    assert http.call(server.address, "GET", sick).status == 404
    assert http.call(server.address, "PATCH", sick, body={"stock": 7}).status == 404
    assert http.call(server.address, "POST", f"{sick}/close").status == 404


@pytest.mark.parametrize(("column", "text"), [("closes_at", "infinity"), ("opens_at", "-infinity")])
def test_an_infinite_end_of_a_window_is_none(shop: Shop, column: str, text: str) -> None:
    server = shop.start("api")
    coupons.create(
        server, SICK, **{"closesAt" if column == "closes_at" else "opensAt": "2030-01-01T00:00:00Z"}
    )
    set_time(shop, column, text)
    field = "closesAt" if column == "closes_at" else "opensAt"
    eventually(lambda: coupons.view(server, SICK).get(field) is None, "the window has no such end")
    eventually(lambda: coupons.issue(server, SICK, "ann").status in (200, 201), "it is open")
    assert "recovering it" not in server.log_text()


@pytest.mark.parametrize(
    ("column", "text"), [("closes_at", "10000-01-01"), ("closes_at", "-infinity"), ("opens_at", "1969-12-31")]
)
def test_a_coupon_with_a_time_that_is_none_is_not_served(shop: Shop, column: str, text: str) -> None:
    server = shop.start()
    for coupon in (SICK, WELL):
        coupons.create(server, coupon)
        coupons.wait_for_rows(shop.database, coupon, coupons.issue_to(server, coupon, ["first"]))
    set_time(shop, column, text)
    eventually(lambda: coupons.issue(server, SICK, "second").status == 404, "it is not served")
    assert coupons.issue(server, WELL, "second").status == 201
    operators_know_only(server, WELL)
    log = server.log_text()
    assert "recovering it" not in log
    assert log.count("coupon not served: a time of its row is outside the years 1970 to 9999") == 1
    with psycopg.connect(shop.database) as connection:
        connection.execute(
            "UPDATE coupon SET opens_at = NULL, closes_at = NULL,"
            " revision = (SELECT max(revision) + 5 FROM coupon) WHERE id = %s",
            [SICK],
        )
    eventually(
        lambda: coupons.issue(server, SICK, "first").status == 200, "it is served once its row is mended"
    )
    assert coupons.answer(server, SICK, "second").json()["sequence"] == 2


def test_a_coupon_with_an_id_that_is_none_is_in_nobodys_way(shop: Shop) -> None:
    server = shop.start()
    for coupon in ("a", WELL):
        coupons.create(server, coupon)
    shop.execute(
        "INSERT INTO coupon (id, name, stock, ack, created_at, revision)"
        " SELECT %s, 'x', 3, 'gate', now(), max(revision) + 5 FROM coupon",
        ODD,
    )
    eventually(lambda: "coupon not served" in server.log_text(), "it was seen")
    first = http.call(server.address, "GET", "/v1/coupons?limit=1").json()
    second = http.call(server.address, "GET", f"/v1/coupons?limit=1&after={first['next']}").json()
    assert [first["coupons"][0]["id"], second["coupons"][0]["id"]] == ["a", WELL]
