"""Processes that sell coupons together, and what a test does to their store and gate behind their backs."""

from dataclasses import dataclass

import psycopg
import redis

from harness.seonchak import Seonchak, Serve
from harness.wait import SETTLE_S, eventually


@dataclass
class Shop:
    """Processes on one gate, topic and database. With `dataclasses.replace` one takes another way there."""

    serve: Serve
    gate: str
    log: str
    database: str
    group: str

    @property
    def flags(self) -> tuple[str, ...]:
        """What each of them, and each command, is told."""
        parts = ("--gate", self.gate, "--log", self.log, "--store", self.database)
        return (*parts, "--log-group", self.group)

    def start(self, roles: str = "api,relay,consumer", *flags: str) -> Seonchak:
        """Starts a process."""
        return self.serve(*self.flags, "--roles", roles, *flags)

    def forget_gate(self) -> None:
        """Redis loses everything it has."""
        with redis.Redis.from_url(self.gate) as client:
            client.flushall()

    def execute(self, sql: str, *values: object) -> None:
        """Changes the store by hand."""
        with psycopg.connect(self.database) as connection:
            connection.execute(sql, values or None)

    def saved(self, coupon: str) -> int:
        """How many rows of it the store has."""
        return self.number("SELECT count(*) FROM user_coupon WHERE coupon_id = %s", coupon)

    def wait_saved(self, count: int, *coupons: str, within_s: float = SETTLE_S) -> None:
        """Until each of these coupons has so many rows."""
        what = f"{count} rows of each of {coupons}"
        eventually(lambda: all(self.saved(coupon) == count for coupon in coupons), what, within_s)

    def position(self) -> int:
        """How much of the log the store has, all partitions together."""
        return self.number("SELECT coalesce(sum(next_offset), 0) FROM log_position")

    def number(self, query: str, *values: object) -> int:
        """The one value of the one row that a query of the database has."""
        with psycopg.connect(self.database) as connection:
            row = connection.execute(query, values).fetchone()
        assert row is not None
        return row[0]
