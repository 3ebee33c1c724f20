"""Several coupons of one installation, as a test creates, issues and reads them."""

import time
from typing import Any

import psycopg

from harness import http
from harness.seonchak import Seonchak
from harness.wait import POLL_S, SETTLE_S, eventually


def create(server: Seonchak, coupon: str, stock: int = 1_000, **fields: Any) -> None:
    """Creates a coupon, for certain."""
    body = {"id": coupon, "name": "Test", "stock": stock, **fields}
    reply = http.call(server.address, "POST", "/v1/coupons", body=body)
    assert reply.status == 201, reply.text


def issue(server: Seonchak, coupon: str, user: str) -> http.Reply:
    """One request for a coupon."""
    return http.call(server.address, "POST", f"/v1/coupons/{coupon}/issue", {"X-User-Id": user})


def view(server: Seonchak, coupon: str) -> dict[str, Any]:
    """The coupon as the API shows it."""
    return http.call(server.address, "GET", f"/v1/coupons/{coupon}").json()


def answer(server: Seonchak, coupon: str, user: str, within_s: float = SETTLE_S) -> http.Reply:
    """The first answer other than 503."""
    deadline = time.monotonic() + within_s
    while (reply := issue(server, coupon, user)).status == 503:
        assert time.monotonic() < deadline, f"still 503 after {within_s:.0f} s: {reply.text}"
        time.sleep(POLL_S)
    return reply


def issue_to(server: Seonchak, coupon: str, users: list[str]) -> dict[str, int]:
    """Issues to each of them, once, and returns their sequences."""
    answers = http.load(server.address, [http.issue(coupon, user) for user in users], connections=1)
    assert {answer.status for answer in answers} <= {201}, [a for a in answers if a.status != 201][:3]
    return {user: answer.body["sequence"] for user, answer in zip(users, answers, strict=True)}


def users(name: str, count: int) -> list[str]:
    """NAME-0, NAME-1, ..."""
    return [f"{name}-{number}" for number in range(count)]


def rows(database: str, coupon: str) -> dict[str, int]:
    """The sequence of each user in the database."""
    query = "SELECT user_id, sequence FROM user_coupon WHERE coupon_id = %s"
    with psycopg.connect(database) as connection:
        return dict(connection.execute(query, [coupon]).fetchall())


def wait_for_rows(database: str, coupon: str, expected: dict[str, int], within_s: float = SETTLE_S) -> None:
    """Until the database has exactly these, and fails with what is missing."""

    def missing() -> int:
        found = rows(database, coupon)
        assert found.items() <= expected.items(), found.items() - expected.items()
        return len(expected) - len(found)

    deadline = time.monotonic() + within_s
    while left := missing():
        assert time.monotonic() < deadline, f"{left} of {len(expected)} rows of {coupon} are missing"
        time.sleep(POLL_S)


def epochs(database: str, coupon: str) -> tuple[int, int]:
    """The coupon's epoch, and the one that is settled: the same when it is open."""
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT epoch, settled FROM coupon WHERE id = %s", [coupon]).fetchone()
    assert row is not None, coupon
    return row


def readiness(server: Seonchak) -> tuple[int, str, dict[str, str]]:
    """What /readyz says: the HTTP status, the status in words, and that of each dependency."""
    reply = http.call(server.address, "GET", "/readyz")
    body = reply.json()
    states = {name: dependency["status"] for name, dependency in body["dependencies"].items()}
    return reply.status, body["status"], states


def wait_degraded(server: Seonchak, dependency: str, within_s: float = SETTLE_S) -> None:
    """Until /readyz of an API process names what is wrong, and is 200 all the same."""

    def told() -> bool:
        status, words, states = readiness(server)
        return (status, words, states.get(dependency)) == (200, "degraded", "down")

    try:
        eventually(told, f"/readyz tells of {dependency}", within_s)
    except AssertionError as error:
        raise AssertionError(f"{error}; it says {readiness(server)}") from None
