"""What tests do to topics."""

import time

from confluent_kafka.admin import AdminClient

ADMIN_TIMEOUT_S = 30.0
POLL_S = 0.1


def delete_topic(brokers: str, topic: str) -> None:
    """Returns when the broker does not have it any more."""
    admin = AdminClient({"bootstrap.servers": brokers})
    for done in admin.delete_topics([topic]).values():
        done.result(ADMIN_TIMEOUT_S)
    deadline = time.monotonic() + ADMIN_TIMEOUT_S
    while topic in admin.list_topics(timeout=ADMIN_TIMEOUT_S).topics:
        assert time.monotonic() < deadline
        time.sleep(POLL_S)
