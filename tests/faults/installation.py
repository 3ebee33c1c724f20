"""Programs under a supervisor, and what every composition of them offers to a run."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from harness import http
from harness.process import Process, start_all
from harness.seonchak import Seonchak

from faults.history import Contents, Coupon, View

WATCH_EVERY_S = 0.1
LOG_TAIL = 1_500
KILLED = -9
COULD_NOT_START = 2


class Installation:
    """Starts `servers`, then `programs`. A program that ends by itself is started again.

    Ending by SIGKILL, or for want of what it needs at start, is a fault's doing; anything else is
    recorded in `crashes`. `unhealed`: what a fault has seen not to heal by itself. `take_overs_s`: how long
    another took to do the work of a process that hung.
    """

    def __init__(self) -> None:
        self.servers: list[Process] = []
        self.programs: dict[str, Seonchak] = {}
        self.roles: dict[str, set[str]] = {}
        self.coupons: list[Coupon] = []
        self.crashes: list[str] = []
        self.unhealed: list[str] = []
        self.take_overs_s: list[float] = []
        self._wanted: dict[str, bool] = {}
        self._lock = threading.RLock()
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def contents(self, coupons: list[Coupon]) -> Contents:
        """What the servers hold, read once all has drained."""
        raise NotImplementedError

    def audit(self) -> list[str]:
        """What `seonchak audit` complains of; nothing when it is clean, or cannot look from outside."""
        return []

    def __enter__(self) -> Self:
        try:
            start_all(self.servers)
            start_all(list(self.programs.values()))
        except BaseException:
            self.close()
            raise
        self._wanted = dict.fromkeys(self.programs, True)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends everything; nothing needs an orderly end, the checker has read it all."""
        self._done.set()
        if self._watcher.is_alive():
            self._watcher.join()
        for process in (*self.programs.values(), *self.servers):
            process.kill()
        for process in (*self.programs.values(), *self.servers):
            process.close()

    @property
    def apis(self) -> dict[str, http.Address]:
        """The addresses of those that answer users."""
        return {name: self.programs[name].address for name in self.having("api")}

    def having(self, *roles: str) -> list[str]:
        """The programs with one of these roles."""
        return sorted(name for name, those in self.roles.items() if those & set(roles))

    @contextmanager
    def killed(self, name: str) -> Iterator[None]:
        """Kill -9 now; started again at the end, which does not wait until it is ready."""
        with self._lock:
            self._wanted[name] = False
            self.programs[name].kill9()
        try:
            yield
        finally:
            with self._lock:
                self._wanted[name] = True
                if not self.programs[name].running:  # two faults may have killed it
                    self.programs[name].launch()

    def create(self, coupon: Coupon) -> None:
        """Creates a coupon, for certain."""
        body = {"name": coupon.id, "id": coupon.id, "stock": coupon.stock, "ack": coupon.ack}
        reply = http.call(self.apis["api-1"], "POST", "/v1/coupons", body=body)
        assert reply.status == 201, reply.text
        self.coupons.append(coupon)

    def opened(self) -> None:
        """Called once, when the coupons of the run have been created."""

    def wait_saved(self, rng: random.Random, timeout_s: float) -> bool:
        """Waits until the store has all that was issued before now."""
        deadline = time.time() + timeout_s
        for coupon in self.coupons:
            issued = None
            while True:
                view = self.view(coupon.id, rng)
                issued = view.issued if issued is None and view.issued >= 0 else issued
                if issued is not None and view.persisted >= issued:
                    break
                if time.time() > deadline:
                    return False
                time.sleep(WATCH_EVERY_S)
        return True

    def view(self, coupon: str, rng: random.Random) -> View:
        """A coupon as one of the API processes shows it; all -1 while that one is away."""
        try:
            reply = http.call(rng.choice(list(self.apis.values())), "GET", f"/v1/coupons/{coupon}")
        except OSError:
            return View(-1, -1, -1, -1)
        body = reply.json()
        numbers = [body.get(key) for key in ("stock", "issued", "published", "persisted")]
        return View(*(-1 if number is None else number for number in numbers))

    def _watch(self) -> None:
        while not self._done.wait(WATCH_EVERY_S):
            with self._lock:
                for name, program in self.programs.items():
                    if self._wanted[name] and not program.running:
                        if program.exit_code not in (KILLED, COULD_NOT_START):
                            tail = program.log_tail()[-LOG_TAIL:]
                            self.crashes.append(f"{name} ended with {program.exit_code}: {tail}")
                        program.launch()
