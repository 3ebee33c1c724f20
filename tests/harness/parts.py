"""Servers that one test after another may pause and kill: a Kafka takes too long to start for each."""

from typing import NamedTuple

from harness.process import Process, start_all
from harness.servers import KafkaServer, PostgresServer, RedisServer


class Parts(NamedTuple):
    """What an installation stands on."""

    redis: RedisServer
    kafka: KafkaServer
    postgres: PostgresServer

    def named(self, names: str) -> list[Process]:
        """Those in a list like "redis,kafka"."""
        return [getattr(self, name) for name in names.split(",")]

    def mend(self) -> None:
        """All of them run, and Redis is empty, whatever the last test has left."""
        for part in self:
            part.resume()
        start_all([part for part in self if not part.running])
        with self.redis.client() as client:
            client.flushall()
