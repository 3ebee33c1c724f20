"""SIGTERM ends a process in time whatever hangs, with claims in flight, and loses nothing acknowledged."""

import contextlib
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import coupons, http
from harness.parts import Parts
from harness.seonchak import Seonchak, Serve, run_command
from harness.shop import Shop
from harness.wait import eventually

STOPS_WITHIN_S = 10.0
GIVES_UP_AFTER_S = 25.0
HUNG_FOR_S = 1.5
STOCK = 1_000_000
CATCH_UP_S = 60.0
GROUP = 16


class Crowd:
    """Users who go on asking, each once, until they are sent home; it remembers who was told what."""

    def __init__(self, server: Seonchak, coupon: str) -> None:
        self.told: dict[str, int] = {}
        self._server = server
        self._coupon = coupon
        self._home = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,), daemon=True) for n in range(4)]
        for thread in self._threads:
            thread.start()

    def _ask(self, number: int) -> None:
        connection = http.Connection(self._server.address, timeout_s=GIVES_UP_AFTER_S)
        asked = 0
        while not self._home.is_set():
            users = [f"{self._coupon}-{number}-{asked + n}" for n in range(GROUP)]
            asked += GROUP
            group = [http.issue(self._coupon, user) for user in users]
            for user, answer in zip(users, connection.answers(group), strict=False):
                if answer.status == 201:
                    self.told[user] = answer.body["sequence"]
            time.sleep(0.01)
        connection.close()

    def go_home(self) -> None:
        self._home.set()
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def calls_that_block(server: Seonchak, coupon: str) -> Iterator[None]:
    """What operators and users ask for meanwhile: it waits for the store."""

    def call(method: str, target: str, body: object = None) -> None:
        with contextlib.suppress(OSError):
            http.call(server.address, method, target, body=body)

    calls: list[Callable[[], None]] = [
        lambda: call("POST", "/v1/coupons", {"id": f"{coupon}-late", "name": "Late", "stock": 1}),
        lambda: call("GET", f"/v1/users/{coupon}-0-0/coupons"),
        lambda: call("GET", "/v1/coupons"),
    ]
    threads = [threading.Thread(target=one, daemon=True) for one in calls]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


def stop_in_time(server: Seonchak) -> None:
    """Asks it to end: 0, in time, and by itself."""
    began = time.monotonic()
    code = server.stop(timeout_s=GIVES_UP_AFTER_S)
    took = time.monotonic() - began
    print(f"stopped with {code} after {took:.1f} s")
    assert code == 0, f"exit code {code} after {took:.1f} s"
    assert took <= STOPS_WITHIN_S
    assert "info stopped" in server.log_text()


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("hung", "ack"),
    [
        ("postgres", "gate"),
        ("postgres", "store"),
        ("redis", "gate"),
        ("kafka", "store"),
        ("redis,kafka,postgres", "store"),
    ],
)
def test_a_stop_is_in_time_while_a_part_hangs(
    shop_on_parts: Shop, parts: Parts, unique: str, hung: str, ack: str
) -> None:
    parts.kafka.create_topic(unique)
    server = shop_on_parts.start()
    coupons.create(server, unique, STOCK, ack=ack)
    crowd = Crowd(server, unique)
    eventually(lambda: len(crowd.told) >= 4 * GROUP, "nobody is told anything")
    try:
        for part in parts.named(hung):
            part.pause()
        with calls_that_block(server, unique):
            time.sleep(HUNG_FOR_S)
            stop_in_time(server)
        crowd.go_home()
    finally:
        for part in parts.named(hung):
            part.resume()
    server.start()

    def all_saved() -> bool:
        return crowd.told.items() <= coupons.rows(shop_on_parts.database, unique).items()

    eventually(all_saved, f"the {len(crowd.told)} who were told have their rows", CATCH_UP_S)
    audited = run_command("audit", *shop_on_parts.flags, timeout_s=60)
    assert audited.returncode == 0, audited.stdout + audited.stderr


def test_a_stop_is_in_time_while_another_program_locks_the_file(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "locked.db"
    server = serve("--store", f"sqlite:{path}")
    coupons.create(server, "c", STOCK)
    crowd = Crowd(server, "c")
    eventually(lambda: len(crowd.told) >= 4 * GROUP, "nobody is told anything")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with calls_that_block(server, "c"):
            time.sleep(HUNG_FOR_S)
            stop_in_time(server)
        crowd.go_home()
        other.execute("ROLLBACK")
        rows = dict(other.execute("SELECT user_id, sequence FROM user_coupon WHERE coupon_id = 'c'"))
    assert crowd.told.items() <= rows.items()
    audited = run_command("audit", "--store", f"sqlite:{path}")
    assert audited.returncode == 0, audited.stdout + audited.stderr


def test_a_hangup_is_a_stop(serve: Serve) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it would be ignored
    server = serve("--store", "sqlite:hangup.db")
    signal.signal(signal.SIGHUP, before)
    coupons.create(server, "c", 10)
    assert coupons.issue(server, "c", "u").status == 201
    server.send_signal(signal.SIGHUP)
    eventually(lambda: not server.running, "it ends", STOPS_WITHIN_S)
    assert server.exit_code == 0
