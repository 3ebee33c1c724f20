"""Users' reads that wait for the database keep no operator waiting."""

import threading
import time

import psycopg
from harness import http
from harness.recovery import Sale

READERS = 16
PROMPT_S = 5.0
STUCK_S = 1.0


def test_operators_are_served_while_all_readers_are_stuck(sale: Sale) -> None:
    server = sale.start("api")
    sale.create(server)
    with psycopg.connect(sale.database) as blocker:
        blocker.execute("LOCK TABLE user_coupon IN ACCESS EXCLUSIVE MODE")
        readers = [
            threading.Thread(target=http.call, args=(server.address, "GET", "/v1/users/u/coupons"))
            for _ in range(READERS)
        ]
        for reader in readers:
            reader.start()
        time.sleep(STUCK_S)
        began = time.monotonic()
        assert http.call(server.address, "GET", "/v1/coupons").status == 200
        assert http.call(server.address, "PATCH", "/v1/coupons/c", body={"stock": 40}).status == 200
        took = time.monotonic() - began
        assert any(reader.is_alive() for reader in readers)
    for reader in readers:
        reader.join()
    assert took < PROMPT_S
