"""`seonchak dead-letter`: what could not be saved is shown, given up, or sent again."""

import json
from typing import Any

import pytest
from confluent_kafka import Producer
from harness import coupons
from harness.process import free_port
from harness.recovery import Sale
from harness.seonchak import run_command
from harness.servers import SharedServer
from harness.wait import eventually

POISON = b"\xff not json"


@pytest.fixture
def flags(kafka_server: SharedServer, topic: str) -> list[str]:
    return ["--log", f"kafka://{kafka_server.address}/{topic}", "--log-group", topic]


def letters(flags: list[str], *more: str) -> list[dict[str, Any]]:
    done = run_command("dead-letter", "list", "--json", *flags, *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["letters"]


def send(kafka: SharedServer, topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": kafka.address})
    for value in values:
        producer.produce(topic, key=b"k", value=value, headers={"trace": b"abc"}, partition=0)
    assert producer.flush(10) == 0


def test_a_letter_is_listed_and_dropped(
    sale: Sale, flags: list[str], kafka_server: SharedServer, topic: str
) -> None:
    sale.start()
    send(kafka_server, topic, POISON, b"{}", b"[]")
    first, second, _ = eventually(lambda: len(found := letters(flags)) == 3 and found, "three letters")
    assert (first["partition"], first["offset"]) == (0, 0)
    assert (first["originalTopic"], first["originalPartition"], first["originalOffset"]) == (topic, 0, 0)
    assert first["value"].startswith("\\xff")
    assert first["reason"]
    assert first["headers"] == {"trace": "abc"}
    text = run_command("dead-letter", "list", *flags, "--limit", "1").stdout
    assert "partition 0 offset 0" in text
    assert "not json" in text

    one = ("--partition", "0", "--offset", str(second["offset"]))
    assert run_command("dead-letter", "drop", *flags, *one).returncode == 0
    assert [letter["offset"] for letter in letters(flags)] == [0, 2]
    rest = run_command("dead-letter", "drop", *flags, "--all")
    assert (rest.returncode, rest.stdout) == (0, "2 dropped, 0 refused\n")
    assert letters(flags) == []
    assert letters(flags, *one)[0]["value"] == "{}"


def test_a_letter_is_saved_when_it_is_replayed_after_its_cause_is_mended(
    sale: Sale, flags: list[str], kafka_server: SharedServer, topic: str
) -> None:
    server = sale.start()
    send(kafka_server, topic, b'{"couponId":"c","userId":"early"}')
    (letter,) = eventually(lambda: letters(flags), "a letter")
    assert letter["reason"] == "coupon_not_found"

    # Its cause is still there: it comes back as a new letter.
    again = run_command("dead-letter", "replay", *flags, "--all")
    assert (again.returncode, again.stdout) == (0, "1 replayed, 0 refused\n"), again.stderr
    (letter,) = eventually(lambda: letters(flags), "a letter")
    assert letter["offset"] == 1
    assert letter["headers"] == {"trace": "abc"}

    sale.create(server)
    one = ("--partition", "0", "--offset", "1")
    assert run_command("dead-letter", "replay", *flags, *one).returncode == 0
    sale.wait_for_rows({"early": 1})
    assert letters(flags) == []
    assert coupons.view(server, "c")["issued"] == 1


def test_what_cannot_be_done_says_so(flags: list[str], kafka_server: SharedServer, topic: str) -> None:
    vague = run_command("dead-letter", "drop", *flags)
    assert (vague.returncode, "--all" in vague.stderr) == (2, True)
    embedded = run_command("dead-letter", "list")
    assert (embedded.returncode, "--log kafka://" in embedded.stderr) == (2, True)
    away = run_command("dead-letter", "list", "--log", f"kafka://127.0.0.1:{free_port()}/t")
    assert (away.returncode, "--log" in away.stderr) == (2, True)
    send(kafka_server, f"{topic}-dlt", b"x")
    none = run_command("dead-letter", "drop", *flags, "--partition", "0", "--offset", "7")
    assert (none.returncode, "no letter" in none.stderr) == (1, True), none.stderr
