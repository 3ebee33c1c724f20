"""The layering rule, on made-up trees."""

from pathlib import Path

import pytest
from check_layers import LAYERS, ROOT, breach, breaches


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("core/issue.cpp", "base/clock.hpp"),
        ("core/issue.cpp", "core/coupon.hpp"),
        ("gate/redis.cpp", "core/ports/gate.hpp"),
        ("gate/redis.cpp", "hiredis/hiredis.h"),
        ("http/server.hpp", "boost/asio/awaitable.hpp"),
        ("cli/wire.cpp", "store/postgres.hpp"),
        ("store/sqlite.cpp", "sqlite3.h"),
        ("events/kafka.hpp", "vector"),
        ("base/error.hpp", "boost/system/result.hpp"),
        ("gate/redis.cpp", "embedded/lua.hpp"),
        ("core/issue_test.cpp", "gate/memory.hpp"),
        ("gate/redis_for_test.hpp", "boost/asio/io_context.hpp"),
    ],
)
def test_allowed(path: str, header: str) -> None:
    assert breach(Path(path), header) is None


@pytest.mark.parametrize(
    ("path", "header", "reason"),
    [
        ("base/log.cpp", "core/coupon.hpp", "base/ may not include"),
        ("core/issue.cpp", "gate/redis.hpp", "core/ may not include"),
        ("gate/redis.cpp", "store/postgres.hpp", "gate/ may not include"),
        ("http/routes.cpp", "cli/config.hpp", "http/ may not include"),
        ("core/issue.cpp", "boost/asio.hpp", "core/ may not use"),
        ("store/postgres.cpp", "hiredis/hiredis.h", "store/ may not use"),
        ("store/postgres.hpp", "libpq-fe.h", "belongs in a .cpp file"),
        ("gate/redis.hpp", "boost/asio/io_context.hpp", "belongs in a .cpp file"),
        ("core/issue_test.cpp", "hiredis/hiredis.h", "core/ may not use"),
        ("utils/strings.hpp", "string", "not in the list of layers"),
    ],
)
def test_refused(path: str, header: str, reason: str) -> None:
    assert reason in (breach(Path(path), header) or "")


def test_a_breach_is_named_by_file_and_line(tmp_path: Path) -> None:
    source = tmp_path / "src" / "core" / "issue.cpp"
    source.parent.mkdir(parents=True)
    source.write_text('#include <string>\n  #  include "http/server.hpp"\n')
    assert list(breaches(tmp_path / "src")) == ["src/core/issue.cpp:2: core/ may not include http/server.hpp"]


def test_every_folder_of_the_project_is_a_layer() -> None:
    assert {path.name for path in (ROOT / "src").iterdir() if path.is_dir()} == set(LAYERS)
