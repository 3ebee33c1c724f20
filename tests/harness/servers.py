"""Redis, Kafka and PostgreSQL as tests use them: loopback, a free port, a temporary folder.

`address` is what the variables SEONCHAK_TEST_REDIS, SEONCHAK_TEST_KAFKA and
SEONCHAK_TEST_POSTGRES hold. None of these touches a server the machine runs anyway.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from harness.process import ROOT, Process, free_port
from harness.skewed_clock import SkewedClock

KAFKA_JARS = ROOT / "build" / "kafka"
KAFKA_CALL_TIMEOUT_S = 10
SCRIPT_CALLS = ("evalsha", "eval", "fcall")
CLUSTER_ID = "seonchak-test-cluster"
CONNECT_TIMEOUT_S = 5


class RedisServer(Process):
    """A Redis that loses nothing it acknowledged to a killed process (append-only file).

    Options are redis.conf directives with underscores: RedisServer(appendfsync="always"). `clock` is the one
    it reads.
    """

    name = "redis"

    def __init__(self, clock: SkewedClock | None = None, **options: str | int) -> None:
        super().__init__()
        self.clock = clock
        self.options = {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory_policy": "noeviction",
            "save": "",
            **options,
        }

    @property
    def address(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def environment(self) -> dict[str, str]:
        return {**super().environment(), **(self.clock.variables if self.clock else {})}

    def client(self) -> redis.Redis:
        """A new client that answers text."""
        return redis.Redis.from_url(self.address, decode_responses=True, socket_timeout=5)

    def scripts_run(self) -> int:
        """How many scripts it has been asked to run."""
        with self.client() as client:
            statistics = client.info("commandstats")
        return sum(statistics.get(f"cmdstat_{name}", {}).get("calls", 0) for name in SCRIPT_CALLS)

    def commands_run(self) -> int:
        """How many commands it has run, those inside scripts included."""
        with self.client() as client:
            return sum(command["calls"] for command in client.info("commandstats").values())

    def command(self) -> list[str]:
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        for option, value in self.options.items():
            command += [f"--{option.replace('_', '-')}", str(value)]
        return command

    def is_ready(self) -> bool:
        with contextlib.suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False


class KafkaServer(Process):
    """One broker that is its own controller. A topic that is written to exists, with 1 partition.

    `advertised_port`, set before the start, is where clients are sent to: a proxy's port, say. `optimized`
    lets the JVM compile its best code, as in production: it starts slower, and costs less per message later.
    """

    name = "kafka"

    def __init__(self, optimized: bool = False) -> None:
        super().__init__()
        self.optimized = optimized
        self.controller_port = free_port()
        self.advertised_port = self.port
        self.config_path = self.folder / "server.properties"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def admin(self) -> AdminClient:
        """A new admin client that keeps quiet about a broker that is down."""
        return AdminClient({"bootstrap.servers": self.address, "log_level": 0})

    def create_topic(self, topic: str, partitions: int = 1) -> None:
        """Creates a topic and waits until the broker has it."""
        create_topic(self.address, topic, partitions)

    def prepare(self) -> None:
        if not list(KAFKA_JARS.glob("kafka_2.13-*.jar")):
            raise RuntimeError(f"no Kafka in {KAFKA_JARS}: run ./dev setup")
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.advertised_port}",
            "num.partitions": 1,
            "offsets.topic.num.partitions": 1,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
        }
        self.format(settings)

    def format(self, settings: dict[str, object]) -> None:
        """Writes these settings, with those of every broker of a test, and makes its empty log."""
        settings = settings | {
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.folder / "data",
            # A broker that comes back after a kill is refused for as long as the dead one is thought alive.
            "broker.session.timeout.ms": 1_500,
            "broker.heartbeat.interval.ms": 300,
            "num.network.threads": 2,
            "num.io.threads": 2,
            "log.cleaner.enable": "false",
        }
        self.config_path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        format_log = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self.config_path)]
        _run(self._java(*format_log))

    def command(self) -> list[str]:
        return self._java("kafka.Kafka", str(self.config_path))

    def is_ready(self) -> bool:
        if not _accepts(self.port):
            return False
        with contextlib.suppress(KafkaException):
            return bool(self.admin().list_topics(timeout=1).brokers)
        return False

    def _java(self, *arguments: str) -> list[str]:
        return [
            "java",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            *([] if self.optimized else ["-XX:TieredStopAtLevel=1"]),
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-cp",
            f"{KAFKA_JARS}/*",
            *arguments,
        ]


class PostgresServer(Process):
    """A PostgreSQL cluster with the superuser and the database `seonchak`, without a password.

    `fsync=False` is faster and still keeps every commit when a process is killed; only a machine
    that loses power would notice.
    """

    name = "postgres"
    death_signal = "INT"

    def __init__(self, fsync: bool = False) -> None:
        super().__init__()
        self.fsync = fsync
        self.data = self.folder / "data"
        self.programs = _postgres_programs()

    @property
    def address(self) -> str:
        return self.url("seonchak")

    def url(self, database: str) -> str:
        """The URL of a database of this server."""
        return f"postgresql://seonchak@127.0.0.1:{self.port}/{database}"

    def run_as(self) -> str | None:
        """PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return None
        names = {entry.pw_name for entry in pwd.getpwall()}
        return "postgres" if "postgres" in names else "nobody"

    def prepare(self) -> None:
        user = self.run_as()
        if user is not None:
            shutil.chown(self.folder, user)
        switch = [] if user is None else ["runuser", "-u", user, "--"]
        initdb = [str(self.programs / "initdb"), "-D", str(self.data), "-U", "seonchak", "-A", "trust"]
        _run([*switch, *initdb, "-E", "UTF8", "--no-locale", "--no-sync"])

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "dynamic_shared_memory_type": "mmap",
            "max_connections": 200,
            "fsync": "on" if self.fsync else "off",
        }
        command = [str(self.programs / "postgres"), "-D", str(self.data)]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        return command

    def stop_signal(self) -> signal.Signals:
        """A fast shutdown: the default one waits for every client to leave."""
        return signal.SIGINT

    def is_ready(self) -> bool:
        if not _accepts(self.port):
            return False
        with contextlib.suppress(psycopg.OperationalError):
            create_database(self.url("postgres"), "seonchak")
            return True
        return False


@dataclass(frozen=True)
class SharedServer:
    """A server that many tests use and none may stop: only its address is known."""

    address: str


def create_database(server_url: str, name: str) -> str:
    """Creates a database if it is not there, and returns its URL."""
    statement = psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name))
    with (
        psycopg.connect(server_url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as connection,
        contextlib.suppress(psycopg.errors.DuplicateDatabase),
    ):
        connection.execute(statement)
    return server_url.rsplit("/", 1)[0] + "/" + name


def create_topic(brokers: str, topic: str, partitions: int = 1) -> None:
    """Creates a topic and waits until the broker has it."""
    admin = AdminClient({"bootstrap.servers": brokers})
    for done in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
        done.result(KAFKA_CALL_TIMEOUT_S)


def _run(command: list[str]) -> None:
    """Runs a preparing step in a folder every user may enter, and shows what it said if it fails."""
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _postgres_programs() -> Path:
    """The newest installed version's folder; Debian keeps it out of PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if versions:
        return versions[-1]
    found = shutil.which("initdb")
    if found is None:
        raise RuntimeError("PostgreSQL is not installed: run ./dev setup")
    return Path(found).resolve().parent
