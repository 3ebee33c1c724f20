"""Runs a command with Redis, Kafka and PostgreSQL beside it.

    python -m harness.with_servers [--durable] [--only redis,postgres] -- COMMAND [ARGUMENT...]

The command finds them in SEONCHAK_TEST_REDIS, SEONCHAK_TEST_KAFKA and SEONCHAK_TEST_POSTGRES. They
end with it, and so do their folders. The exit code is the command's.
"""

import argparse
import os
import signal
import subprocess
import sys

from harness.process import Process, start_all
from harness.servers import KafkaServer, PostgresServer, RedisServer

VARIABLES = {
    "redis": "SEONCHAK_TEST_REDIS",
    "kafka": "SEONCHAK_TEST_KAFKA",
    "postgres": "SEONCHAK_TEST_POSTGRES",
}


def run(command: list[str], servers: list[Process]) -> int:
    """Starts the servers, runs the command, stops them, and returns its exit code."""
    try:
        start_all(servers)
        for server in servers:
            os.environ[VARIABLES[server.name]] = server.address
        return _run_command(command)
    finally:
        for server in servers:
            server.close()


def _run_command(command: list[str]) -> int:
    child = subprocess.Popen(command)
    # Ctrl-C reaches the child from the terminal; this process only waits for it to finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        code = child.wait()
    finally:
        if child.poll() is None:
            child.kill()
    return code if code >= 0 else 128 - code


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run a command with Redis, Kafka and PostgreSQL beside it.")
    parser.add_argument("--durable", action="store_true", help="PostgreSQL with fsync, as in production")
    parser.add_argument("--only", default=",".join(VARIABLES), help="which servers, separated by commas")
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def main() -> int:
    """The command line."""
    arguments = _arguments()
    make = {
        "redis": RedisServer,
        "kafka": KafkaServer,
        "postgres": lambda: PostgresServer(fsync=arguments.durable),
    }
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    return run(arguments.command, [make[name]() for name in arguments.only.split(",")])


if __name__ == "__main__":
    sys.exit(main())
