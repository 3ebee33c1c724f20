"""A small sale that must survive what happens to the gate."""

import time
from dataclasses import dataclass

import psycopg

from harness import http
from harness.seonchak import Seonchak, Serve

SETTLE_S = 30.0
STOCK = 50
COUPON = "c"


@dataclass
class Sale:
    """Processes on one gate, topic and database, and one coupon with STOCK pieces."""

    serve: Serve
    flags: tuple[str, ...]
    database: str

    def start(self, roles: str = "api,relay,consumer") -> Seonchak:
        return self.serve(*self.flags, "--roles", roles)

    def create(self, server: Seonchak) -> None:
        reply = http.call(
            server.address, "POST", "/v1/coupons", body={"id": COUPON, "name": "Test", "stock": STOCK}
        )
        assert reply.status == 201, reply.text

    def issue(self, server: Seonchak, user: str) -> http.Reply:
        return http.call(server.address, "POST", f"/v1/coupons/{COUPON}/issue", {"X-User-Id": user})

    def issue_all(self, server: Seonchak, first: int, end: int) -> dict[str, int]:
        """Issues to u{first} up to u{end - 1}; their sequences."""
        sequences = {}
        for number in range(first, end):
            reply = self.issue(server, f"u{number}")
            assert reply.status == 201, reply.text
            sequences[f"u{number}"] = reply.json()["sequence"]
        return sequences

    def answer(self, server: Seonchak, user: str) -> http.Reply:
        """The first answer other than 503, which must come within SETTLE_S."""
        deadline = time.monotonic() + SETTLE_S
        while (reply := self.issue(server, user)).status == 503:
            assert time.monotonic() < deadline, reply.text
            assert "retry-after" in reply.headers
            time.sleep(0.05)
        return reply

    def sell_the_rest(self, server: Seonchak, issued: dict[str, int]) -> dict[str, int]:
        """Asks until the stock is gone: a holder's answer must be the first one, and nobody gets too much."""
        for user, sequence in issued.items():
            reply = self.answer(server, user)
            assert (reply.status, reply.json()["sequence"]) == (200, sequence), (user, reply.text)
        everyone = dict(issued)
        for number in range(1_000, 1_000 + STOCK - len(issued)):
            reply = self.answer(server, f"u{number}")
            assert reply.status == 201, reply.text
            everyone[f"u{number}"] = reply.json()["sequence"]
        assert self.answer(server, "late").json()["code"] == "sold_out"
        assert len(set(everyone.values())) == STOCK
        return everyone

    def wait_until(self, server: Seonchak, stage: str, sequence: int) -> None:
        """Until `published` or `persisted` is there."""
        deadline = time.monotonic() + SETTLE_S
        while http.call(server.address, "GET", f"/v1/coupons/{COUPON}").json()[stage] < sequence:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def rows(self) -> dict[str, int]:
        """The sequence of each user in the database."""
        query = "SELECT user_id, sequence FROM user_coupon WHERE coupon_id = %s"
        with psycopg.connect(self.database) as connection:
            return dict(connection.execute(query, [COUPON]).fetchall())

    def wait_for_rows(self, expected: dict[str, int]) -> None:
        deadline = time.monotonic() + SETTLE_S
        while (found := self.rows()) != expected:
            assert time.monotonic() < deadline, (found, expected)
            time.sleep(0.1)


def sale_of(serve: Serve, gate: str, log: str, database: str, group: str) -> Sale:
    """A sale on these servers; the consumer group is `group`."""
    return Sale(serve, ("--gate", gate, "--log", log, "--store", database, "--log-group", group), database)
