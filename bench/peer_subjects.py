"""The peers as subjects: what nginx, nginx with Lua and Spring Boot answer under the same requests."""

from typing import Any

from harness.process import Process

from bench import generator
from bench.generator import Target
from bench.lab import STOCK_MAX, wait_for
from bench.subjects import (
    DRAIN_TIMEOUT_S,
    AlwaysWinners,
    ChainWinners,
    EmbeddedWinners,
    Healthz,
    Losers,
    RedisWinners,
    Subject,
)

CONSTANT_PATH = "/constant"


class NginxConstant(Subject):
    """The fastest that nginx can be."""

    name, title = "nginx-constant", "nginx return 200"

    def processes(self) -> dict[str, Process]:
        return {"server": self.lab.nginx}

    def target(self) -> Target:
        return Target(self.lab.nginx.port, CONSTANT_PATH, ("X-User-Id: r-{user}",))


class NginxLosers(Subject):
    """The same of nginx with Lua."""

    name, title, statuses = "losers-nginx-lua", "losers, nginx + Lua + Redis", (409,)

    def prepare(self) -> None:
        self.coupon = self.lab.new_name("gone")
        self.lab.nginx.create(self.coupon, 1)
        super().prepare()

    def processes(self) -> dict[str, Process]:
        return {"server": self.lab.nginx, "redis": self.lab.nginx.redis}

    def counters(self) -> dict[str, float]:
        return {"redis_scripts": self.lab.nginx.redis.scripts_run()}

    def target(self) -> Target:
        return generator.issue(self.lab.nginx.port, self.coupon)


class SpringLosers(Subject):
    """The same of the origin's design."""

    name, title, statuses = "losers-spring", "losers, Spring Boot", (409,)

    def prepare(self) -> None:
        self.coupon = self.lab.new_name("gone")
        self.lab.spring.create(self.coupon, 1)
        super().prepare()

    def processes(self) -> dict[str, Process]:
        return {"server": self.lab.spring, "redis": self.lab.spring.redis}

    def target(self) -> Target:
        return self.lab.spring.issue(self.coupon)


class NginxWinners(Subject):
    """Decided, and neither published nor saved."""

    name, title, statuses = "winners-nginx-lua", "winners, nginx + Lua + Redis", (201,)

    def processes(self) -> dict[str, Process]:
        return {"server": self.lab.nginx, "redis": self.lab.nginx.redis}

    def target(self) -> Target:
        coupon = self.lab.new_name("won")
        self.lab.nginx.create(coupon, STOCK_MAX)
        return generator.issue(self.lab.nginx.port, coupon)


class SpringWinners(Subject):
    """The origin's design: answered, published after the answer, saved row by row."""

    name, title, statuses = "winners-spring", "winners, Spring Boot", (201,)

    def processes(self) -> dict[str, Process]:
        spring = self.lab.spring
        return {"server": spring, "redis": spring.redis, "kafka": spring.kafka, "postgres": spring.postgres}

    def target(self) -> Target:
        self.coupon = self.lab.new_name("won")
        self.lab.spring.create(self.coupon, STOCK_MAX)
        return self.lab.spring.issue(self.coupon)

    def settle(self) -> dict[str, Any]:
        with self.lab.spring.redis.client() as client:
            issued = client.scard(f"{{spring:{self.coupon}}}:holders")
        spring = self.lab.spring
        return {"drained_s": wait_for(lambda: spring.saved(self.coupon) >= issued, DRAIN_TIMEOUT_S)}


# In this order they take turns.
SUBJECTS: tuple[type[Subject], ...] = (
    NginxConstant,
    Healthz,
    Losers,
    NginxLosers,
    SpringLosers,
    RedisWinners,
    NginxWinners,
    ChainWinners,
    SpringWinners,
    EmbeddedWinners,
    AlwaysWinners,
)
