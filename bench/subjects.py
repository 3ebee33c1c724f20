"""What is measured in turns: one subject is one server under one kind of request, as fast as it answers."""

from abc import ABC, abstractmethod
from typing import Any

from harness.process import Process
from harness.seonchak import Seonchak
from harness.servers import RedisServer

from bench import generator
from bench.cpu import CpuMeter, thread_seconds
from bench.generator import Load, Target
from bench.lab import Lab, counts, create, wait_for

DRAIN_TIMEOUT_S = 60.0
LEARN_TIMEOUT_S = 20.0
WARM = Load(seconds=0.5)


class Subject(ABC):
    """One line of the table."""

    name: str
    title: str
    statuses: tuple[int, ...] = (200,)

    def __init__(self, lab: Lab, warm: Load = WARM) -> None:
        self.lab = lab
        self.warm = warm

    def prepare(self) -> None:
        """Starts what it needs and warms it up."""
        generator.run(self.target(), self.warm)
        self.settle()

    @abstractmethod
    def processes(self) -> dict[str, Process]:
        """Whose CPU a request costs; "server" is the one that answers."""

    @abstractmethod
    def target(self) -> Target:
        """Where the requests of one round go."""

    def settle(self) -> dict[str, Any]:
        """Waits until what the round set going is done, and tells of it."""
        return {}

    def counters(self) -> dict[str, float]:
        """What only grows; a round reports the difference per request."""
        return {}

    def threads(self) -> dict[str, float]:
        """CPU seconds of the server by the names of its threads, where that tells something."""
        return {}

    def measure(self, load: Load) -> dict[str, Any]:
        """One round. CPU includes what happened after the answers, until all was saved."""
        with generator.Run(self.target(), load) as run:
            before = self.counters()
            meter = CpuMeter(self.processes())
            threads = self.threads()
            run.go()
            report = run.report()
            after = self.counters()
            generator.expect(report, *self.statuses)
            settled = self.settle()
            cpu_us = meter.per_request_us(report["answers"])
            busy = {name: now - threads.get(name, 0.0) for name, now in self.threads().items()}
        cpu_us["load"] = report["cpu_s"] / report["answers"] * 1e6
        per_request = {name: (after[name] - before[name]) / report["answers"] for name in after}
        return {
            "rate": report["rate"],
            "cpu_us": cpu_us,
            "thread_us": {name: spent / report["answers"] * 1e6 for name, spent in busy.items()},
            "per_request": per_request,
            "load": report,
            **settled,
        }


class Healthz(Subject):
    """The fastest that our own server can be."""

    name, title = "healthz", "our /healthz"

    def processes(self) -> dict[str, Process]:
        return {"server": self.lab.api}

    def target(self) -> Target:
        return Target(self.lab.api.port, "/healthz", ("X-User-Id: r-{user}",), method="GET")


def wait_refusing(server: Seonchak, coupon: str, timeout_s: float) -> None:
    """Until a process refuses who comes late by itself, and so has the holders in memory."""
    before = server.metrics()["seonchak_refused_from_memory_total"]

    def refusing() -> bool:
        generator.run(generator.issue(server.port, coupon), Load(requests=16, connections=4))
        return server.metrics()["seonchak_refused_from_memory_total"] > before

    if wait_for(refusing, timeout_s) is None:
        raise RuntimeError(f"losers of {coupon} are still asked of Redis")


class Losers(Subject):
    """Requests for a coupon that is gone."""

    name, title, statuses = "losers", "losers", (409,)

    def prepare(self) -> None:
        server = self.lab.api
        self.coupon = create(server, self.lab.new_name("gone"), 1)
        generator.run(self.target(), Load(requests=64))
        wait_refusing(server, self.coupon, LEARN_TIMEOUT_S)
        super().prepare()

    def processes(self) -> dict[str, Process]:
        return {"server": self.lab.api, "redis": self.lab.redis_api}

    def counters(self) -> dict[str, float]:
        return {"redis_scripts": self.lab.redis_api.scripts_run()}

    def target(self) -> Target:
        return generator.issue(self.lab.api.port, self.coupon)


class Winners(Subject):
    """New users for a coupon that lasts, a new coupon each round; subclasses say which servers take part."""

    statuses = (201,)

    @abstractmethod
    def server(self) -> Seonchak:
        """The process that answers."""

    def processes(self) -> dict[str, Process]:
        return {"server": self.server()}

    def threads(self) -> dict[str, float]:
        return thread_seconds(self.server().pid)

    def counters(self) -> dict[str, float]:
        server = self.server()
        metrics = server.metrics()
        return {name: metrics[f"seonchak_gate_{name}_total"] for name in ("users", "calls")}

    def target(self) -> Target:
        self.coupon = create(self.server(), self.lab.new_name("won"))
        return generator.issue(self.server().port, self.coupon)

    def measure(self, load: Load) -> dict[str, Any]:
        result = super().measure(load)
        calls = result["per_request"]["calls"]
        result["batch"] = result["per_request"]["users"] / calls if calls else None
        return result


class RedisWinners(Winners):
    """Deciding alone: nothing is published or saved meanwhile."""

    name, title = "winners-redis", "winners, Redis only"

    def server(self) -> Seonchak:
        return self.lab.api

    def processes(self) -> dict[str, Process]:
        return {"server": self.lab.api, "redis": self.lab.redis_api}


class ChainWinners(Winners):
    """Decided, published and saved, all on the same cores."""

    name, title = "winners-chain", "winners, whole chain"

    def server(self) -> Seonchak:
        return self.lab.chain

    def redis(self) -> RedisServer:
        """The gate."""
        return self.lab.redis_chain

    def processes(self) -> dict[str, Process]:
        lab = self.lab
        return {"server": self.server(), "redis": self.redis(), "kafka": lab.kafka, "postgres": lab.postgres}

    def settle(self) -> dict[str, Any]:
        def drained() -> bool:
            now = counts(self.server(), self.coupon)
            return now["persisted"] is not None and now["persisted"] >= now["issued"]

        return {"drained_s": wait_for(drained, DRAIN_TIMEOUT_S)}


class AlwaysWinners(ChainWinners):
    """The same, with a Redis that flushes before it answers."""

    name, title = "winners-chain-always", "winners, whole chain, appendfsync always"

    def server(self) -> Seonchak:
        return self.lab.always

    def redis(self) -> RedisServer:
        return self.lab.redis_always


class EmbeddedWinners(Winners):
    """Nothing but the program: each answer is on disk."""

    name, title = "winners-embedded", "winners, embedded (fsynced)"

    def server(self) -> Seonchak:
        return self.lab.embedded
