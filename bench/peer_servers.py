"""The peers as processes: nginx with and without Lua, and the Spring Boot application."""

import contextlib
import re
import subprocess

from harness import http
from harness.process import ROOT, Process
from harness.servers import KafkaServer, PostgresServer, RedisServer

from bench.generator import Target, next_run

PEERS = ROOT / "bench" / "peers"
SPRING_READY_S = 180.0
SPRING_JAR = ROOT / "build" / "peers" / "spring" / "spring-peer-1.jar"


def _modules() -> str:
    said = subprocess.run(["nginx", "-V"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"--modules-path=(\S+)", said)
    return found.group(1) if found else "/usr/lib/nginx/modules"


class Nginx(Process):
    """One worker: a constant answer for every path but that of issuing, which asks Redis."""

    name = "nginx"

    def __init__(self, redis: RedisServer) -> None:
        super().__init__()
        self.redis = redis

    def prepare(self) -> None:
        values = {
            "MODULES": _modules(),
            "FOLDER": self.folder,
            "PEER": PEERS / "nginx",
            "REDIS_PORT": self.redis.port,
            "PORT": self.port,
        }
        text = (PEERS / "nginx" / "nginx.conf").read_text()
        (self.folder / "nginx.conf").write_text(
            re.sub("@([A-Z_]+)@", lambda m: str(values.get(m[1], m[0])), text)
        )
        with self.redis.client() as client:
            client.script_load((PEERS / "nginx" / "claim.lua").read_text())

    def command(self) -> list[str]:
        return ["nginx", "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)]

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            return http.call(("127.0.0.1", self.port), "GET", "/").status == 200
        return False

    def create(self, coupon: str, stock: int) -> None:
        """Makes a coupon."""
        with self.redis.client() as client:
            client.set(f"{{{coupon}}}:stock", stock)


class Spring(Process):
    """The origin's design on a JVM."""

    name = "spring"

    def __init__(self, redis: RedisServer, kafka: KafkaServer, postgres: PostgresServer) -> None:
        super().__init__()
        self.redis, self.kafka, self.postgres = redis, kafka, postgres

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return ("127.0.0.1", self.port)

    def command(self) -> list[str]:
        return [
            *("java", "-Xms512m", "-Xmx1g", "-jar", str(SPRING_JAR), f"--server.port={self.port}"),
            f"--spring.data.redis.url={self.redis.address}",
            f"--spring.kafka.bootstrap-servers={self.kafka.address}",
            f"--spring.datasource.url=jdbc:postgresql://127.0.0.1:{self.postgres.port}/seonchak",
            "--spring.datasource.username=seonchak",
        ]

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            return http.call(self.address, "GET", "/coupons/none/saved").status == 200
        return False

    def wait_ready(self, timeout_s: float = SPRING_READY_S) -> None:
        super().wait_ready(timeout_s)

    def create(self, coupon: str, stock: int) -> None:
        """Makes a coupon."""
        assert http.call(self.address, "POST", f"/coupons/{coupon}?stock={stock}").status == 200

    def saved(self, coupon: str) -> int:
        """How many rows the database has."""
        return int(http.call(self.address, "GET", f"/coupons/{coupon}/saved").text)

    def issue(self, coupon: str) -> Target:
        """Asks for a coupon, as a user that no other run has."""
        return Target(self.port, f"/coupons/{coupon}/issue?userId={next_run()}{{user}}")
