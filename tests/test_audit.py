"""`seonchak audit` finds nothing after a race, and names each breach planted by hand."""

import json
import sqlite3
import subprocess
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Producer
from harness import coupons, http
from harness.process import free_port
from harness.recovery import COUPON, STOCK, Sale
from harness.seonchak import Seonchak, Serve, run_command
from harness.servers import RedisServer, SharedServer

ISSUED = 20
HOLDERS = "{coupon:c}:holders"


def audit(sale: Sale, *more: str) -> "subprocess.CompletedProcess[str]":
    return run_command("audit", *sale.flags, *more)


def breaches(sale: Sale) -> set[tuple[str, int | None, str | None]]:
    """Kind, sequence and user of each, which exit code 1 must go with."""
    done = audit(sale, "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    found = json.loads(done.stdout)["breaches"]
    assert all(breach["couponId"] == COUPON and breach["detail"] for breach in found)
    return {(breach["kind"], breach["sequence"], breach["userId"]) for breach in found}


def save(sale: Sale) -> Seonchak:
    """ISSUED of the stock are issued and saved; the server still runs."""
    server = sale.start()
    sale.create(server)
    issued = sale.issue_all(server, 0, ISSUED)
    sale.wait_for_rows(issued)
    sale.wait_until(server, "persisted", ISSUED)
    return server


@pytest.fixture
def saved(sale: Sale) -> Sale:
    save(sale)
    return sale


def sql(sale: Sale, statement: str) -> None:
    with psycopg.connect(sale.database) as connection:
        connection.execute(statement)


def test_it_is_clean_during_and_after_a_race(sale: Sale) -> None:
    server = sale.start()
    sale.create(server)
    requests = [http.issue(COUPON, f"r{number % 400}") for number in range(2_000)]
    during: list[subprocess.CompletedProcess[str]] = []
    for part in range(0, len(requests), 500):
        http.load(server.address, requests[part : part + 500])
        during.append(audit(sale))
    sale.wait_until(server, "persisted", STOCK)
    for done in [*during, audit(sale)]:
        assert done.returncode == 0, done.stdout + done.stderr
        assert "0 breaches" in done.stdout
    report = json.loads(audit(sale, "--json", "--coupon", COUPON).stdout)
    assert report["breaches"] == []
    assert (report["held"], report["saved"], report["couponCount"]) == (STOCK, STOCK, 1)
    assert report["checkedAt"].endswith("Z")
    (coupon,) = report["coupons"]
    assert (coupon["id"], coupon["stock"], coupon["waiting"], coupon["logged"]) == (COUPON, STOCK, 0, STOCK)


def test_a_deleted_row_is_a_lost_coupon(saved: Sale) -> None:
    sql(saved, "DELETE FROM user_coupon WHERE user_id = 'u4'")
    assert breaches(saved) == {("lost", 5, "u4")}
    text = audit(saved)
    assert text.returncode == 1
    assert "breach lost: coupon c sequence 5 user u4" in text.stdout


def test_an_added_row_was_never_issued(saved: Sale) -> None:
    sql(
        saved,
        "INSERT INTO user_coupon (coupon_id, user_id, sequence, issued_at, epoch) "
        "VALUES ('c', 'friend', 30, now(), 1)",
    )
    assert breaches(saved) == {("row_not_held", 30, "friend")}


def test_a_changed_sequence_differs_from_the_gates(saved: Sale) -> None:
    sql(saved, "UPDATE user_coupon SET sequence = 40 WHERE user_id = 'u0'")
    assert breaches(saved) == {("row_sequence_differs", 40, "u0")}


def test_a_removed_holder_could_be_issued_twice(sale: Sale, own_redis: RedisServer) -> None:
    save(sale).stop()  # it would notice, and recover the coupon
    own_redis.client().hdel(HOLDERS, "u6")
    found = breaches(sale)
    # Whether a recovery numbered the epoch 1 or later decides whether a gap is one.
    assert found - {("sequence_gap", 7, None)} == {("row_not_held", 7, "u6"), ("event_not_held", 7, "u6")}


def test_more_holders_and_rows_than_stock(saved: Sale) -> None:
    sql(saved, f"UPDATE coupon SET stock = {ISSUED - 1}")
    assert breaches(saved) == {
        ("gate_stock_above_store", None, None),
        ("holders_above_stock", None, None),
        ("rows_above_stock", None, None),
    }


def test_an_outbox_trimmed_early_leaves_the_log_alone_or_nothing(sale: Sale, own_redis: RedisServer) -> None:
    server = sale.start("api,relay")
    sale.create(server)
    sale.issue_all(server, 0, 3)
    sale.wait_until(server, "published", 3)
    server.stop()
    api = sale.start("api")
    sale.issue_all(api, 3, 5)
    assert audit(sale).returncode == 0
    api.stop()  # it would notice, and recover the coupon
    own_redis.client().delete("{coupon:c}:outbox")
    assert breaches(sale) == {
        *(("trimmed_early", number + 1, f"u{number}") for number in range(3)),
        ("lost", 4, "u3"),
        ("lost", 5, "u4"),
    }


def test_an_event_nobody_was_issued(sale: Sale, kafka_server: SharedServer, topic: str) -> None:
    server = sale.start("api,relay")
    sale.create(server)
    sale.issue_all(server, 0, 2)
    sale.wait_until(server, "published", 2)
    producer = Producer({"bootstrap.servers": kafka_server.address})
    value = '{"couponId":"c","userId":"forger","sequence":9}'
    producer.produce(topic, key=b"c", value=value.encode(), partition=0)
    assert producer.flush(10) == 0
    assert breaches(sale) == {("event_not_held", 9, "forger")}


def test_a_gate_that_forgot_is_waited_for_while_it_is_recovered(saved: Sale, own_redis: RedisServer) -> None:
    own_redis.client().flushall()
    done = audit(saved)
    assert done.returncode == 0, done.stdout + done.stderr


def test_at_rest_a_gate_that_forgot_is_a_breach(sale: Sale, own_redis: RedisServer) -> None:
    server = sale.start()
    sale.create(server)
    sale.wait_for_rows(sale.issue_all(server, 0, 2))
    server.stop()
    own_redis.client().flushall()
    assert breaches(sale) == {("gate_missing", None, None)}


def test_the_embedded_file_is_read_at_rest_alone(serve: Serve) -> None:
    server = serve("--store", "sqlite:shop.db")
    for name, stock in (("a", 3), ("b", 1)):
        coupons.create(server, name, stock)
        coupons.issue_to(server, name, ["kim"])
    flags = ("audit", "--store", f"sqlite:{server.folder}/shop.db")
    running = run_command(*flags)
    assert running.returncode == 2
    assert "in use by another seonchak" in running.stderr
    server.kill()
    rested = run_command(*flags)
    assert rested.returncode == 0, rested.stdout + rested.stderr
    assert "2 coupons checked" in rested.stdout
    with sqlite3.connect(server.folder / "shop.db") as file:
        file.execute(
            "INSERT INTO user_coupon (coupon_id, user_id, sequence, issued_at, epoch, saved_at) "
            "SELECT 'b', 'lee', 2, issued_at, epoch, saved_at FROM user_coupon WHERE coupon_id = 'b'"
        )
    over = run_command(*flags)
    assert over.returncode == 1
    assert "breach rows_above_stock: coupon b" in over.stdout


def test_what_cannot_be_read_says_what_to_change(sale: Sale, tmp_path: Path) -> None:
    nobody = free_port()
    empty = audit(sale)
    assert (empty.returncode, "start `seonchak serve`" in empty.stderr) == (2, True), empty.stderr
    missing = run_command("audit", "--store", f"sqlite:{tmp_path}/none.db")
    assert missing.returncode == 2
    assert not (tmp_path / "none.db").exists()
    server = sale.start()
    sale.create(server)
    assert "there is no coupon nope" in audit(sale, "--coupon", "nope").stderr
    gate = audit(replace(sale, gate=f"redis://:hunter2@127.0.0.1:{nobody}/0"))
    assert gate.returncode == 2
    assert "--gate" in gate.stderr
    assert "hunter2" not in gate.stderr
    log = audit(replace(sale, log=f"kafka://127.0.0.1:{nobody}/t"))
    assert (log.returncode, "--log" in log.stderr) == (2, True), log.stderr
