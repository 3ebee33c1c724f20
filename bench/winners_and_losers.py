"""Winners and losers per second beside nginx `return 200`, in one run.

All under `wrk -t1 -c64` with the same script (a new user per request), alternating, medians over the
rounds. CPU is that of each process from /proc, so that a busy machine blurs it less than the rates.

    ./dev setup && ./dev build && .venv/bin/python bench/winners_and_losers.py [--rounds 5] [--seconds 4]
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from harness import http  # noqa: E402
from harness.process import Process  # noqa: E402
from harness.seonchak import Seonchak  # noqa: E402
from harness.servers import KafkaServer, PostgresServer, RedisServer  # noqa: E402

CONNECTIONS = 64
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

NGINX_CONF = """
worker_processes 1;
daemon off;
error_log stderr crit;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path {folder};
  server {{ listen 127.0.0.1:{port} reuseport; location / {{ return 200 "ok"; }} }}
}}
"""


class Nginx(Process):
    """A constant answer, on one worker."""

    name = "nginx"

    def command(self) -> list[str]:
        conf = Path(tempfile.mkdtemp(dir=self.folder)) / "nginx.conf"
        conf.write_text(NGINX_CONF.format(folder=self.folder, port=self.port))
        return ["nginx", "-c", str(conf), "-p", str(self.folder)]

    def is_ready(self) -> bool:
        try:
            return http.call(("127.0.0.1", self.port), "GET", "/").status == 200
        except OSError:
            return False


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children."""
    children = subprocess.run(
        ["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    total = 0.0
    for each in [str(pid), *children]:
        fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return total


class Subject:
    """One line of the table: where to send requests, and whose CPU they cost."""

    def __init__(self, name: str, port: int, path: str, processes: dict[str, Process]) -> None:
        self.name, self.port, self.path, self.processes = name, port, path, processes
        self.rates: list[float] = []
        self.cpu: dict[str, list[float]] = {each: [] for each in processes}

    def measure(self, seconds: int, tag: str) -> None:
        """One round."""
        before = {name: cpu_seconds(process.pid) for name, process in self.processes.items()}
        url = f"http://127.0.0.1:{self.port}"
        script = ["-s", str(ROOT / "bench" / "issue.lua"), url, "--", self.path, tag]
        done = subprocess.run(
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *script],
            capture_output=True,
            text=True,
            check=True,
        )
        requests = int(re.search(r"(\d+) requests in", done.stdout).group(1))
        self.rates.append(float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout).group(1)))
        for name, process in self.processes.items():
            self.cpu[name].append((cpu_seconds(process.pid) - before[name]) / requests * 1e6)

    def row(self, base: float) -> str:
        """The medians."""
        rate = statistics.median(self.rates)
        cpu = ", ".join(f"{name} {statistics.median(values):.1f}" for name, values in self.cpu.items())
        return f"{self.name:34} {rate:10,.0f}/s  {rate / base:5.2f}x   {cpu}"


def create(server: Seonchak, coupon: str, stock: int) -> str:
    """Makes a coupon and returns the path that issues it."""
    body = {"id": coupon, "name": coupon, "stock": stock}
    assert http.call(server.address, "POST", "/v1/coupons", body=body).status == 201
    return f"/v1/coupons/{coupon}/issue"


def main() -> None:
    """Starts everything, measures in turns, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    options = parser.parse_args()
    with RedisServer() as redis, KafkaServer() as kafka, PostgresServer() as postgres, Nginx() as nginx:
        gate, log = redis.address, f"kafka://{kafka.address}/coupon-issue"
        flags = ["--gate", gate, "--log", log, "--store", postgres.url("postgres"), "--threads", "1"]
        with (
            Seonchak(*flags) as whole,
            Seonchak(*flags, "--roles", "api") as api,
            Seonchak("--threads", "1") as alone,
        ):
            lost = create(whole, "lost", 1)
            http.call(whole.address, "POST", lost, {"X-User-Id": "winner"})
            chain = {"server": whole, "redis": redis, "kafka": kafka, "postgres": postgres}
            subjects = [
                Subject("nginx return 200", nginx.port, "/", {"nginx": nginx}),
                Subject("our /healthz", whole.port, "/healthz", {"server": whole}),
                Subject("losers", api.port, lost, {"server": api, "redis": redis}),
                Subject("winners, whole chain", whole.port, create(whole, "won", 10_000_000), chain),
                Subject(
                    "winners, embedded (fsynced)",
                    alone.port,
                    create(alone, "won", 10_000_000),
                    {"server": alone},
                ),
            ]
            for round_number in range(options.rounds):
                for subject in subjects:
                    subject.measure(options.seconds, f"r{round_number}-")
            base = statistics.median(subjects[0].rates)
            print(f"{options.rounds} rounds of {options.seconds} s, medians; CPU in microseconds per request")
            for subject in subjects:
                print(subject.row(base))


if __name__ == "__main__":
    main()
