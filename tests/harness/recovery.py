"""A small sale that must survive what happens to the gate."""

import time

from harness import coupons, http
from harness.seonchak import Seonchak
from harness.shop import Shop
from harness.wait import SETTLE_S, eventually

STOCK = 50
COUPON = "c"


class Sale(Shop):
    """A shop with one coupon of which there are STOCK."""

    def create(self, server: Seonchak) -> None:
        coupons.create(server, COUPON, STOCK)

    def issue(self, server: Seonchak, user: str) -> http.Reply:
        return coupons.issue(server, COUPON, user)

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
        eventually(lambda: coupons.view(server, COUPON)[stage] >= sequence, f"{sequence} are {stage}")

    def rows(self) -> dict[str, int]:
        """The sequence of each user in the database."""
        return coupons.rows(self.database, COUPON)

    def wait_for_rows(self, expected: dict[str, int]) -> None:
        deadline = time.monotonic() + SETTLE_S
        while (found := self.rows()) != expected:
            assert time.monotonic() < deadline, (found, expected)
            time.sleep(0.1)
