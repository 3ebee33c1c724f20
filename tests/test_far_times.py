"""Times that somebody else has put into the rows of coupons."""

import psycopg
import pytest
from harness import coupons
from harness.shop import Shop
from harness.wait import eventually

SICK, WELL = "sick", "well"


def set_time(shop: Shop, column: str, text: str) -> None:
    """In the sick coupon's row, as a change that is heard of."""
    with psycopg.connect(shop.database) as connection:
        connection.execute(
            f"UPDATE coupon SET {column} = %s, revision = (SELECT max(revision) + 5 FROM coupon)"
            " WHERE id = %s",
            [text, SICK],
        )


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
