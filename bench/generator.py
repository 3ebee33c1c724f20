"""Runs seonchak-load, the generator of load in bench/load."""

import contextlib
import itertools
import json
import subprocess
import threading
from dataclasses import dataclass
from typing import Any, Self

from harness.process import ROOT

PROGRAM = ROOT / "build" / "bench" / "seonchak-load"
CONNECT_S = 60.0
SPARE_S = 60.0
SLOWEST_RATE = 1_000

_runs = itertools.count(1)


@dataclass(frozen=True)
class Target:
    """Where requests go, and what they look like."""

    port: int
    path: str
    headers: tuple[str, ...] = ()
    method: str = "POST"
    coupons: int = 1


@dataclass(frozen=True)
class Load:
    """How many requests, over how many connections, how fast; rate 0 is as fast as answers come."""

    seconds: float = 0
    requests: int = 0
    connections: int = 64
    rate: float = 0


def issue(port: int, coupon: str, coupons: int = 1) -> Target:
    """Asks for a coupon, as a user that no other run has. {coupon} in the id counts through `coupons`."""
    return Target(
        port, f"/v1/coupons/{coupon}/issue", (f"X-User-Id: r{next_run()}-{{user}}",), coupons=coupons
    )


def next_run() -> int:
    """A number for the names of users that no other run has."""
    return next(_runs)


def command(target: Target, load: Load) -> list[str]:
    """The command line."""
    line = [str(PROGRAM), "--port", str(target.port), "--method", target.method, "--path", target.path]
    for header in target.headers:
        line += ["--header", header]
    line += ["--coupons", str(target.coupons), "--connections", str(load.connections)]
    for name, value in (("seconds", load.seconds), ("requests", load.requests), ("rate", load.rate)):
        if value:
            line += [f"--{name}", str(value)]
    return line


class Run:
    """A generator that is connected and waits for `go`, so that connecting is in nobody's CPU.

    As a context it keeps the connections open until its end, so that closing them is not either.
    """

    def __init__(self, target: Target, load: Load) -> None:
        self._load = load
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self._child = subprocess.Popen(
            [*command(target, load), "--in-steps"], text=True, encoding="utf-8", **pipes
        )
        # A generator that hangs is ended, and so is every wait for what it prints.
        bound_s = CONNECT_S + (load.seconds or load.requests / SLOWEST_RATE) + SPARE_S
        self._bound = threading.Timer(bound_s, self._child.kill)
        self._bound.daemon = True
        self._bound.start()
        self._line()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bound.cancel()
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.close()
        if self._child.wait() < 0:
            raise RuntimeError("the generator was ended: it took too long")

    def go(self) -> None:
        """Sends the first request and returns."""
        self._child.stdin.write("\n")
        self._child.stdin.flush()

    def report(self) -> dict[str, Any]:
        """Waits for its end. Raises when it failed, or a tenth of the requests had no answer."""
        report = json.loads(self._line())
        if report["answers"] < 0.9 * report["requests"]:
            raise RuntimeError(f"too few answers: {report}")
        return report

    def _line(self) -> str:
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"the generator failed: {self._child.stderr.read()}")
        return line


def run(target: Target, load: Load) -> dict[str, Any]:
    """One run to its end."""
    with Run(target, load) as generator:
        generator.go()
        return generator.report()


def on_time(report: dict[str, Any], load: Load) -> None:
    """Raises when an open loop was slower than asked: its latency then tells of another rate."""
    if report["rate"] < 0.95 * load.rate or report["errors"]["unsent"]:
        raise RuntimeError(f"{report['rate']:,.0f} of {load.rate:,.0f} requests a second were reached")


def expect(report: dict[str, Any], *statuses: int) -> None:
    """Raises unless nearly all answers have one of these statuses: a rate of errors is no rate."""
    good = sum(count for status, count in report["statuses"].items() if int(status) in statuses)
    if good < 0.999 * report["answers"] or report["answers"] == 0:
        raise RuntimeError(f"answers other than {statuses}: {report}")
