"""Coupons that are over, thousands of them, beside one that lives."""

import psycopg
import redis

from harness import http
from harness.wait import eventually

KNOWN_S = 60.0
PAGE = 1_000

INSERT = """
INSERT INTO coupon (id, name, stock, status, ack, epoch, settled, gate, revision, created_at)
SELECT 'old-' || n, 'Old', 10, 'closed', 'gate', 1, 1, (SELECT gate FROM coupon WHERE id = %(beside)s),
  (SELECT max(revision) FROM coupon) + n, date_trunc('milliseconds', now())
FROM generate_series(1, %(count)s) AS n
RETURNING id, revision, (extract(epoch FROM created_at) * 1000)::bigint
"""


def add_closed_coupons(
    database: str, client: redis.Redis, address: http.Address, count: int, beside: str
) -> None:
    """As if they had been created, issued to nobody and closed. `beside` names a coupon that is open.

    Returns when the server at `address` knows them.
    """
    with psycopg.connect(database) as connection:
        made = connection.execute(INSERT, {"beside": beside, "count": count}).fetchall()
        for first in range(0, count, PAGE):
            with client.pipeline(transaction=False) as pipeline:
                for coupon, revision, created_at in made[first : first + PAGE]:
                    pipeline.hset(f"{{coupon:{coupon}}}:state", mapping=_state(revision, created_at))
                pipeline.execute()
    newest = f"/v1/coupons/old-{count}"
    eventually(
        lambda: http.call(address, "GET", newest).status == 200, "the closed coupons are known", KNOWN_S
    )


def _state(revision: int, created_at: int) -> dict[str, str | int]:
    window = {"opens_at": "", "closes_at": "", "closed": 1}
    counts = {"stock": 10, "sequence": 0, "published": 0, "persisted": 0}
    return {**window, **counts, "epoch": 1, "revision": revision, "created_at": created_at}
