"""The program under test, as a process."""

import contextlib
import os
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

from harness import http
from harness.process import ROOT, Process

CALL_TIMEOUT_S = 30


def binary() -> Path:
    """The program to test: the release build, or what SEONCHAK_BINARY names (a sanitizer build, say)."""
    return Path(os.environ.get("SEONCHAK_BINARY", ROOT / "build" / "release" / "seonchak"))


class Seonchak(Process):
    """`seonchak serve` with the given flags, ready when /readyz says so.

    Its working directory is its own folder, so a relative --store file lies there and survives a
    restart. `variables` are added to the environment; no SEONCHAK_* of the caller gets in. `program` is
    another build than the one under test.
    """

    name = "seonchak"

    def __init__(
        self, *flags: str, variables: dict[str, str] | None = None, program: Path | None = None
    ) -> None:
        super().__init__()
        self.program = program
        self.flags = list(flags)
        self.variables = dict(variables or {})

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, as harness.http takes them."""
        return ("127.0.0.1", self.port)

    @property
    def url(self) -> str:
        """http://127.0.0.1:PORT, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [str(self.program or binary()), "serve", "--listen", f"127.0.0.1:{self.port}", *self.flags]

    def environment(self) -> dict[str, str]:
        return {**_clean_environment(), **self.variables}

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as reply:
            return reply.status == 200
        return False

    def metrics(self) -> dict[str, float]:
        """Every line of /metrics: the name with its labels, and its value."""
        lines = http.call(self.address, "GET", "/metrics").text.splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def kill9(self) -> None:
        """SIGKILL, and nothing else: what a crash leaves behind."""
        self.kill()

    def stop_signal(self) -> signal.Signals:
        return signal.SIGTERM


Serve = Callable[..., Seonchak]
"""The fixture `serve`: starts the program with the flags given."""


def run_command(
    *arguments: str, cwd: Path | None = None, timeout_s: float = CALL_TIMEOUT_S
) -> "subprocess.CompletedProcess[str]":
    """Runs another subcommand to its end, for example "coupon", "create", "--id", "a"."""
    return subprocess.run(
        [str(binary()), *arguments],
        cwd=cwd,
        env=_clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def _clean_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("SEONCHAK_")}
