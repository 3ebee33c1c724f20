"""Fixtures: shared servers, servers of one test's own, and names nobody else uses.

A shared server must not be stopped or filled by a test. One that is to be killed is the test's own, as
`own_redis` is, or one of `parts`.
"""

import os
import uuid
from collections.abc import Generator, Iterator

import pytest
from harness.parts import Parts
from harness.process import Process, live
from harness.recovery import Sale
from harness.seonchak import Seonchak, Serve
from harness.servers import (
    KafkaServer,
    PostgresServer,
    RedisServer,
    SharedServer,
    create_database,
    create_topic,
)
from harness.shop import Shop
from harness.with_servers import VARIABLES


def _shared(server: type[Process]) -> Iterator[SharedServer]:
    """The server ./dev test has started, or one for this run."""
    address = os.environ.get(VARIABLES[server.name])
    if address:
        yield SharedServer(address)
        return
    with server() as started:
        yield SharedServer(started.address)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[SharedServer]:
    """A Redis for everybody: use names of your own in it."""
    yield from _shared(RedisServer)


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[SharedServer]:
    """A Kafka broker for everybody: use the fixture `topic`."""
    yield from _shared(KafkaServer)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[SharedServer]:
    """A PostgreSQL for everybody: use the fixture `database`."""
    yield from _shared(PostgresServer)


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """An empty Redis of this test's own, to be killed, paused or filled."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def all_parts() -> Iterator[Parts]:
    """For the fixture `parts` alone."""
    made = Parts(RedisServer(), KafkaServer(), PostgresServer())
    yield made
    for part in made:
        part.close()


@pytest.fixture
def parts(all_parts: Parts) -> Parts:
    """A Redis without data, a Kafka and a PostgreSQL that this test may pause and kill."""
    all_parts.mend()
    return all_parts


@pytest.fixture
def shop_on_parts(serve: Serve, parts: Parts, unique: str) -> Shop:
    """An installation on them, whose topic does not exist yet."""
    database = create_database(parts.postgres.address, unique)
    return Shop(serve, parts.redis.address, f"kafka://{parts.kafka.address}/{unique}", database, unique)


@pytest.fixture
def unique() -> str:
    """A name nobody else has: letters and digits."""
    return "t" + uuid.uuid4().hex[:12]


@pytest.fixture
def database(postgres_server: SharedServer, unique: str) -> str:
    """The URL of an empty PostgreSQL database."""
    return create_database(postgres_server.address, unique)


@pytest.fixture
def topic(kafka_server: SharedServer, unique: str) -> str:
    """The name of an empty topic with one partition on the shared broker."""
    create_topic(kafka_server.address, unique)
    return unique


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts the program with the flags given and returns it ready. It is killed with the test."""
    started: list[Seonchak] = []

    def start(*flags: str, variables: dict[str, str] | None = None) -> Seonchak:
        program = Seonchak(*flags, variables=variables)
        started.append(program)
        return program.start()

    yield start
    for program in started:
        program.kill()  # an end in order takes seconds, and test_stop.py has it
        program.close()


@pytest.fixture
def shop(sale: Sale) -> Shop:
    """The same, for a test with coupons of its own."""
    return sale


@pytest.fixture
def sale(serve: Serve, own_redis: RedisServer, kafka_server: SharedServer, topic: str, database: str) -> Sale:
    """Processes on a Redis of this test's own, and one coupon."""
    return Sale(serve, own_redis.address, f"kafka://{kafka_server.address}/{topic}", database, topic)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows the end of every server's log below a test that failed."""
    report = yield
    if report.failed:
        for process in live():
            report.sections.append((f"{process.name} on port {process.port}", process.log_tail()))
    return report
