"""Starting: what cannot work says what to change, and exits 2."""

import socket
import time
from pathlib import Path

import psycopg
import pytest
from harness import http
from harness.parts import Parts
from harness.process import Process, free_port
from harness.seonchak import Seonchak, Serve, run_command
from harness.servers import RedisServer
from harness.shop import Shop

SAYS_WHAT_HANGS_WITHIN_S = 20.0
BEGUN_S = 1.0
STOPS_WITHIN_S = 6.0


@pytest.mark.parametrize(
    ("flags", "advice"),
    [
        (["--gate", "etcd://h"], "use memory, redis://"),
        (["--roles", "api"], "--gate redis://"),
        (["--log", "kafka://127.0.0.1:1/t"], "--gate redis://"),
        (["--store", "sqlite:/no/such/folder/x.db"], "/no/such/folder"),
        (["--listen", "nonsense"], "listen"),
        (["--threads", "-1"], "threads"),
        (["--no-such-flag"], "--no-such-flag"),
    ],
)
def test_what_cannot_work_says_what_to_change(tmp_path: Path, flags: list[str], advice: str) -> None:
    ended = run_command("serve", "--listen", "127.0.0.1:0", *flags, cwd=tmp_path)
    assert ended.returncode == 2
    assert advice in ended.stderr


def test_an_unreachable_redis_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"redis://:hunter2@127.0.0.1:{free_port()}/0"
    ended = run_command("serve", "--gate", url, "--store", "sqlite:x.db", cwd=tmp_path)
    assert ended.returncode == 2
    assert "127.0.0.1" in ended.stderr
    assert "hunter2" not in ended.stderr


@pytest.mark.parametrize(
    ("conf", "advice"),
    [({"maxmemory_policy": "allkeys-lru"}, "noeviction"), ({"appendonly": "no"}, "appendonly")],
)
def test_an_unsafe_redis_is_refused(tmp_path: Path, conf: dict[str, str], advice: str) -> None:
    with RedisServer(**conf) as redis:
        ended = run_command(
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--gate",
            redis.address,
            "--store",
            "sqlite:x.db",
            cwd=tmp_path,
        )
        assert ended.returncode == 2
        assert advice in ended.stderr


def test_an_unreachable_log_is_named_and_nobody_is_served(own_redis: RedisServer, tmp_path: Path) -> None:
    ended = run_command(
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--gate",
        own_redis.address,
        "--log",
        "kafka://127.0.0.1:1/t",
        "--store",
        "sqlite:x.db",
        cwd=tmp_path,
    )
    assert ended.returncode == 2
    assert "Kafka at 127.0.0.1:1 does not answer" in ended.stderr
    assert "seonchak is ready" not in ended.stderr


def tables_of(database: str) -> set[str]:
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in rows}


def test_a_database_with_a_table_of_such_a_name_is_left_as_it_was(shop: Shop) -> None:
    shop.execute("CREATE TABLE lease (x int)")
    ended = run_command("serve", "--listen", "127.0.0.1:0", *shop.flags)
    assert ended.returncode == 2
    assert "lease" in ended.stderr
    assert tables_of(shop.database) == {"lease"}


def test_an_address_that_is_taken_is_told_before_the_database_is_migrated(shop: Shop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for listen in (f"127.0.0.1:{taken.getsockname()[1]}", "nonsense"):
            ended = run_command("serve", "--listen", listen, *shop.flags)
            assert ended.returncode == 2
            assert "cannot listen on" in ended.stderr
    assert tables_of(shop.database) == set()


def test_a_name_in_the_file_that_is_no_flag_is_told(tmp_path: Path) -> None:
    file = tmp_path / "seonchak.toml"
    file.write_text("bogus = 1\n", encoding="utf-8")
    ended = run_command("serve", "--listen", "127.0.0.1:0", "--config", str(file), cwd=tmp_path)
    assert ended.returncode == 2
    assert "the file of --config: no flag is called bogus" in ended.stderr


@pytest.mark.timeout(180)
def test_a_part_that_hangs_at_the_start_is_named_and_the_next_start_succeeds(
    shop_on_parts: Shop, parts: Parts
) -> None:
    """Whoever is told to stop meanwhile need not wait for it."""
    named: dict[str, Process] = {"Kafka": parts.kafka, "PostgreSQL": parts.postgres, "redis": parts.redis}
    server = Seonchak(*shop_on_parts.flags)
    for name, part in named.items():
        part.pause()
        server.launch()
        began = time.monotonic()
        while server.running:
            assert time.monotonic() - began < SAYS_WHAT_HANGS_WITHIN_S
            time.sleep(0.05)
        said = server.log_text().splitlines()[-1]
        assert server.exit_code == 2
        assert name in said
        print(f"after {time.monotonic() - began:.1f} s: {said}")

        server.launch()
        time.sleep(BEGUN_S)
        began = time.monotonic()
        code = server.stop()
        assert time.monotonic() - began < STOPS_WITHIN_S
        assert code == 0 or name == "redis"  # which is noticed so soon that it may have ended by then
        part.resume()
        server.start()
        assert server.stop() == 0
    server.close()


def test_a_taken_port_is_named(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    ended = run_command("serve", "--listen", f"127.0.0.1:{server.port}", cwd=tmp_path)
    assert ended.returncode == 2
    assert str(server.port) in ended.stderr


def test_a_second_server_on_the_same_file_is_refused(serve: Serve) -> None:
    server = serve("--store", "sqlite:one.db")
    path = server.folder / "one.db"
    ended = run_command("serve", "--listen", "127.0.0.1:0", "--store", f"sqlite:{path}")
    assert ended.returncode == 2
    assert "one.db" in ended.stderr
    assert http.call(server.address, "GET", "/healthz").status == 200


def test_the_log_says_where_and_with_what(serve: Serve) -> None:
    server = serve("--store", "sqlite:x.db")
    (line,) = [line for line in server.log_text().splitlines() if "seonchak is ready" in line]
    for part in (
        f"url=http://127.0.0.1:{server.port}",
        "gate=memory",
        "log=memory",
        "store=sqlite:x.db",
        "admin=",
    ):
        assert part in line


def test_version_and_help() -> None:
    assert run_command("version").stdout.startswith("seonchak ")
    assert run_command("help").returncode == 0
    assert run_command("serve", "--help").returncode == 0
    assert run_command("nonsense").returncode == 2
