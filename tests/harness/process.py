"""A child process that a test can start, kill, pause and restart, and that never outlives the run."""

import atexit
import contextlib
import os
import queue
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import weakref
from concurrent.futures import Future
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
POLL_S = 0.02
LOG_TAIL_BYTES = 8_000

_given: set[int] = set()
_live: "weakref.WeakSet[Process]" = weakref.WeakSet()


def free_port() -> int:
    """A loopback port nobody listens on.

    It lies below the range the kernel gives to outgoing connections, so that no client takes it
    while a server that is to come back on it is down. It is given out once.
    """
    for _ in range(100):
        port = random.randint(15_000, 32_000)
        if port in _given:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port
    raise RuntimeError("no free port between 15000 and 32000 on 127.0.0.1")


class Process:
    """One server: a folder, a port, a log file and, while it runs, a process of its own session.

    Subclasses say how it is run (`command`), what must exist before (`prepare`) and when it serves
    (`is_ready`). `start` after `stop` or `kill` uses the same folder and port, so data survive.
    """

    name = "process"
    death_signal = "KILL"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"seonchak-{self.name}-"))
        self.port = free_port()
        self.log_path = self.folder / "log.txt"
        self._child: subprocess.Popen[bytes] | None = None
        self._prepared = False
        _live.add(self)

    def command(self) -> list[str]:
        """The program and its arguments."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Runs once, before the first start."""

    def is_ready(self) -> bool:
        """Whether the server does its work, not merely accepts connections."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """The environment of the process."""
        return dict(os.environ)

    def run_as(self) -> str | None:
        """The user to run as, when it is not the present one."""
        return None

    @property
    def running(self) -> bool:
        """Whether the process is there; a paused one is."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._child is not None, f"{self.name} was never started"
        return self._child.pid

    def start(self) -> Self:
        """Starts it and waits until it is ready."""
        self.launch()
        self.wait_ready()
        return self

    def launch(self) -> None:
        """Starts it without waiting, so that several can come up side by side."""
        assert not self.running, f"{self.name} is running already"
        if not self._prepared:
            self.prepare()
            self._prepared = True
        with self.log_path.open("ab") as log:
            self._child = _spawn(
                [*_guard(self.death_signal, self.run_as()), *self.command()],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Waits for `is_ready`. Raises with the end of the log when it dies or takes too long."""
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if not self.running:
                raise RuntimeError(f"{self.name} ended with {self.exit_code}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} not ready in {timeout_s} s:\n{self.log_tail()}")
            time.sleep(POLL_S)

    @property
    def exit_code(self) -> int | None:
        """None while it runs, negative for the signal that ended it."""
        return None if self._child is None else self._child.poll()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Asks it to end, kills it if it does not, and returns the exit code (that of a kill is -9)."""
        if self._child is None:
            return 0
        if self.running:
            self.resume()
            self._child.send_signal(self.stop_signal())
            try:
                self._child.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._child.wait()

    def stop_signal(self) -> signal.Signals:
        """What makes it end in order."""
        return signal.SIGTERM

    def send_signal(self, number: signal.Signals) -> None:
        """Sends it a signal; harmless when it is gone."""
        if self.running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to it and all its children, as a power cut would, seen from its peers."""
        self._signal_tree(signal.SIGKILL)
        if self._child is not None:
            self._child.wait()

    def restart(self) -> Self:
        """Stops it if it runs, and starts it with the same data on the same port."""
        self.stop()
        return self.start()

    def pause(self) -> None:
        """Freezes it: connections stay open and nothing answers."""
        self._signal_tree(signal.SIGSTOP)

    def resume(self) -> None:
        """Ends a pause; harmless otherwise."""
        self._signal_tree(signal.SIGCONT)

    def close(self) -> None:
        """Ends it and removes its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        _live.discard(self)

    def log_text(self) -> str:
        """Everything it has printed, all starts together."""
        with contextlib.suppress(FileNotFoundError):
            return self.log_path.read_text(errors="replace")
        return ""

    def log_tail(self) -> str:
        """The last part of the log."""
        return self.log_text()[-LOG_TAIL_BYTES:]

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _signal_tree(self, number: signal.Signals) -> None:
        if not self.running:
            return
        told: set[int] = set()
        # A child may be started between the look and its parent's stop.
        while fresh := [pid for pid in process_tree(self.pid) if pid not in told]:
            told.update(fresh)
            for pid in fresh:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)


def live() -> list[Process]:
    """Every server that has not been closed, for the report of a failed test."""
    return sorted(_live, key=lambda process: process.name)


def start_all(processes: list[Process]) -> None:
    """Starts several side by side and waits for all of them."""
    for process in processes:
        process.launch()
    for process in processes:
        process.wait_ready()


def process_tree(pid: int) -> list[int]:
    """`pid` and all below it, parents first: a stopped parent starts no more children.

    PostgreSQL puts each backend in a session of its own, so a signal to the group would miss them.
    """
    found = [pid]
    for parent in found:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _guard(death_signal: str, user: str | None) -> list[str]:
    """A prefix that ends the process when the one that started it is gone, however it went."""
    switch = [] if user is None else ["--reuid", user, "--regid", user, "--init-groups"]
    return ["setpriv", *switch, "--pdeathsig", death_signal, "--"]


_spawner: threading.Thread | None = None
_requests: "queue.Queue[tuple[list[str], dict, Future]]" = queue.Queue()


def _serve_spawns() -> None:
    while True:
        command, options, reply = _requests.get()
        try:
            reply.set_result(subprocess.Popen(command, **options))
        except BaseException as error:
            reply.set_exception(error)


def _spawn(command: list[str], **options: object) -> "subprocess.Popen[bytes]":
    """Popen from one thread that lives as long as the interpreter.

    The kernel sends the death signal when the *thread* that forked ends, and tests restart servers
    from threads of their own.
    """
    global _spawner
    if _spawner is None:
        _spawner = threading.Thread(target=_serve_spawns, name="spawner", daemon=True)
        _spawner.start()
    reply: Future = Future()
    _requests.put((command, options, reply))
    return reply.result()


@atexit.register
def _close_all() -> None:
    for process in live():
        process.close()
