"""One coupon whose rows must wait, or a record that no topic takes, holds up no later event of any other."""

import threading
import time

import psycopg
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic
from harness import coupons
from harness.seonchak import Seonchak, run_command
from harness.servers import SharedServer
from harness.shop import Shop
from harness.wait import eventually

# Of a healthy coupon, from the answer to the row. A saver waits 0.2 s for a row that is held.
ROW_S = 4.0
SICK_S = 12.0  # a consumer says so when something has waited for 10 s
SETTLE_S = 40.0
POISON = b"\xff not json"

REFUSE_SICK = """
CREATE FUNCTION refuse_sick() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.coupon_id = 'sick' THEN RAISE EXCEPTION 'the shop does not want it'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER refuse_sick BEFORE INSERT ON user_coupon FOR EACH ROW EXECUTE FUNCTION refuse_sick();
"""


def open_shop(shop: Shop) -> Seonchak:
    """With coupons "sick", "well" and "eager", whose users wait for the store, in one partition."""
    server = shop.start()
    for coupon, ack in (("sick", "gate"), ("well", "gate"), ("eager", "store")):
        coupons.create(server, coupon, 10_000, ack=ack)
        assert issue(server, coupon, "first") == 201
    shop.wait_saved(1, "sick", "well", within_s=SETTLE_S)
    return server


def is_clean(shop: Shop) -> None:
    done = run_command("audit", *shop.flags)
    assert done.returncode == 0, done.stdout + done.stderr


def issue(server: Seonchak, coupon: str, user: str) -> int:
    return coupons.issue(server, coupon, user).status


def says_it_waits(server: Seonchak, what: str) -> bool:
    """In /readyz, and for what in the log."""
    lines = [line for line in server.log_text().splitlines() if "dependency is down name=consumer" in line]
    return coupons.readiness(server)[2]["consumer"] == "down" and any(what in line for line in lines)


def sell_for(shop: Shop, server: Seonchak, duration_s: float) -> int:
    """Issues one of each coupon at a time; the healthy ones' rows must follow. Returns how many of each."""
    sold = 0
    until = time.monotonic() + duration_s
    while time.monotonic() < until:
        sold += 1
        assert issue(server, "sick", f"u{sold}") == 201
        assert issue(server, "well", f"u{sold}") == 201
        began = time.monotonic()
        assert issue(server, "eager", f"u{sold}") == 201, "a user waits for the sick coupon"
        assert time.monotonic() - began < ROW_S
        shop.wait_saved(sold + 1, "well", within_s=ROW_S)
        time.sleep(0.2)
    return sold


def heals(shop: Shop, server: Seonchak, sold: int) -> None:
    shop.wait_saved(sold + 1, "sick", within_s=SETTLE_S)
    eventually(lambda: shop.position() >= 3 * sold + 3, "the position comes after", SETTLE_S)
    metrics = server.metrics()
    assert metrics["seonchak_consumer_dead_letters_total"] == 0
    eventually(lambda: server.metrics()["seonchak_consumer_waiting_records"] == 0, "nothing waits", SETTLE_S)
    is_clean(shop)


def test_a_held_row_stops_no_later_event_of_another_coupon(shop: Shop) -> None:
    server = open_shop(shop)
    with psycopg.connect(shop.database) as holder:
        holder.execute("SELECT 1 FROM coupon WHERE id = 'sick' FOR UPDATE")
        before = shop.position()
        sold = sell_for(shop, server, SICK_S)
        assert shop.saved("sick") == 1
        assert shop.position() == before, "a crash would lose the held coupon's events"
        assert says_it_waits(server, "coupon sick")
        assert server.metrics()["seonchak_consumer_waiting_records"] == sold
        assert server.metrics()["seonchak_consumer_stalled_seconds"] >= 10
    heals(shop, server, sold)


def test_a_trigger_that_refuses_one_coupon_stops_no_other(shop: Shop) -> None:
    server = open_shop(shop)
    shop.execute(REFUSE_SICK)
    sold = sell_for(shop, server, SICK_S)
    assert shop.saved("sick") == 1
    assert says_it_waits(server, "the shop does not want it")
    shop.execute("DROP TRIGGER refuse_sick ON user_coupon")
    heals(shop, server, sold)


def test_a_trigger_that_hangs_for_one_coupon_stops_no_other(shop: Shop) -> None:
    """A statement's time-out is 10 s: what comes meanwhile waits for it, and no longer."""
    server = open_shop(shop)
    shop.execute(REFUSE_SICK.replace("RAISE EXCEPTION 'the shop does not want it'", "PERFORM pg_sleep(60)"))
    for n in range(5):
        assert [issue(server, coupon, f"u{n}") for coupon in ("sick", "well")] == [201, 201]
    shop.wait_saved(6, "well", within_s=SETTLE_S)
    for n in range(5, 10):
        assert [issue(server, coupon, f"u{n}") for coupon in ("sick", "well")] == [201, 201]
    shop.wait_saved(11, "well", within_s=SETTLE_S)
    shop.execute("DROP TRIGGER refuse_sick ON user_coupon")
    shop.wait_saved(11, "sick", within_s=SETTLE_S)


def test_a_crash_loses_nothing_of_what_waits(shop: Shop) -> None:
    server = open_shop(shop)
    with psycopg.connect(shop.database) as holder:
        holder.execute("SELECT 1 FROM coupon WHERE id = 'sick' FOR UPDATE")
        sold = sell_for(shop, server, 5.0)
        assert server.metrics()["seonchak_consumer_waiting_records"] == sold
        server.kill9()
        holder.rollback()
    again = shop.start()
    heals(shop, again, sold)


def test_a_dead_letter_topic_that_refuses_stops_no_event(
    shop: Shop, kafka_server: SharedServer, topic: str
) -> None:
    admin = AdminClient({"bootstrap.servers": kafka_server.address})
    letters = f"{topic}-dlt"
    # Such a topic takes nothing without a key.
    choosy = NewTopic(letters, num_partitions=1, replication_factor=1, config={"cleanup.policy": "compact"})
    admin.create_topics([choosy])[letters].result(30)
    server = open_shop(shop)
    producer = Producer({"bootstrap.servers": kafka_server.address})
    poisons = 0
    stop = threading.Event()

    def poison() -> None:
        nonlocal poisons
        while not stop.wait(0.3):
            for _ in range(10):
                producer.produce(topic, value=POISON, headers={"trace": b"abc"}, partition=0)
            poisons += 10
            producer.flush(10)

    stranger = threading.Thread(target=poison)
    stranger.start()
    try:
        sold = sell_for(shop, server, SICK_S)
    finally:
        stop.set()
        stranger.join()
    assert says_it_waits(server, "dead-letter topic")
    entry = ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.SET)
    mended = ConfigResource(ConfigResource.Type.TOPIC, letters, incremental_configs=[entry])
    admin.incremental_alter_configs([mended])[mended].result(30)

    def dead_letters() -> float:
        return server.metrics()["seonchak_consumer_dead_letters_total"]

    eventually(lambda: dead_letters() == poisons, "the records are dead-lettered once they can be", SETTLE_S)
    shop.wait_saved(sold + 1, "sick", within_s=SETTLE_S)
    eventually(lambda: shop.position() >= 3 * sold + 3 + poisons, "the position comes after", SETTLE_S)
    listed = run_command("dead-letter", "list", "--json", *shop.flags[2:4], *shop.flags[6:8])
    assert listed.returncode == 0, listed.stderr
    assert '"trace"' in listed.stdout
    assert "xff not json" in listed.stdout
    lines = sum("record dead-lettered" in line for line in server.log_text().splitlines())
    assert 1 <= lines < poisons / 5, "a line for each record fills the disk"
    is_clean(shop)
