"""The aims, each a number from the results and a bound. What was not measured is not judged."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Results = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Aim:
    """`value` of the results shall be at least, or at most, `bound`."""

    text: str
    bound: float
    value: Callable[[Results], float]
    at_most: bool = False
    unit: str = "x"

    def judge(self, results: Results) -> tuple[float, bool] | None:
        """The value and whether it is met; None when something it needs was not measured."""
        try:
            value = self.value(results)
        except KeyError:
            return None
        return value, value <= self.bound if self.at_most else value >= self.bound


def rates(name: str, base: str) -> Callable[[Results], float]:
    """How many times as many requests a second."""
    return lambda results: results[name]["rate"] / results[base]["rate"]


def cpu(name: str, base: str, process: str = "server") -> Callable[[Results], float]:
    """How many times as much CPU of one process per request."""
    return lambda results: results[name]["cpu_us"][process] / results[base]["cpu_us"][process]


def of(name: str, *keys: str, scale: float = 1.0) -> Callable[[Results], float]:
    """A number as it was measured."""

    def value(results: Results) -> float:
        found: Any = results[name]
        for key in keys:
            found = found[key]
        if found is None:
            raise KeyError(keys[-1])
        return found * scale

    return value


AIMS = (
    Aim("losers / our constant answer", 0.95, rates("losers", "healthz")),
    Aim("losers / nginx return 200", 1.0, rates("losers", "nginx-constant")),
    Aim("server CPU per loser / constant answer", 1.15, cpu("losers", "healthz"), at_most=True),
    Aim("losers / Spring Boot", 12, rates("losers", "losers-spring")),
    Aim("Redis scripts per loser", 0.01, of("losers", "per_request", "redis_scripts"), at_most=True, unit=""),
    Aim("winners, Redis only / constant answer", 0.65, rates("winners-redis", "healthz")),
    Aim("winners, Redis only / nginx + Lua", 2.2, rates("winners-redis", "winners-nginx-lua")),
    Aim(
        "Redis CPU per winner / nginx + Lua",
        1 / 3,
        cpu("winners-redis", "winners-nginx-lua", "redis"),
        at_most=True,
    ),
    Aim("server CPU per winner / constant answer", 1.6, cpu("winners-redis", "healthz"), at_most=True),
    Aim("winners, whole chain / nginx + Lua without one", 1.2, rates("winners-chain", "winners-nginx-lua")),
    Aim("winners, whole chain / Spring Boot", 10, rates("winners-chain", "winners-spring")),
    Aim("p99 at half the chain's peak rate", 5, of("half-rate", "p99_ms"), at_most=True, unit=" ms"),
    Aim("chain, appendfsync always / everysec", 0.8, rates("winners-chain-always", "winners-chain")),
    Aim("winners, embedded / constant answer", 0.5, rates("winners-embedded", "healthz")),
    Aim("rows from Kafka / COPY", 0.8, rates("rows-consumer", "rows-copy")),
    Aim("rows from Kafka", 60_000, of("rows-consumer", "rate"), unit="/s"),
    Aim("database behind at 10,000 winners/s, p99", 250, of("lag", "p99_ms"), at_most=True, unit=" ms"),
    Aim(
        "1 M winners in the database after the last answer",
        20,
        of("burst", "seconds"),
        at_most=True,
        unit=" s",
    ),
    Aim("idle server, memory", 25, of("idle", "chain", "rss_mb"), at_most=True, unit=" MB"),
    Aim(
        "idle server, time to start, embedded",
        50,
        of("idle", "embedded", "ready_ms"),
        at_most=True,
        unit=" ms",
    ),
    Aim(
        "idle server, time to start, on servers",
        50,
        of("idle", "chain", "ready_ms"),
        at_most=True,
        unit=" ms",
    ),
    Aim(
        "memory per connection, at 10,000",
        10,
        of("idle", "connections", "bytes_per_connection", scale=1e-3),
        at_most=True,
        unit=" KB",
    ),
)
