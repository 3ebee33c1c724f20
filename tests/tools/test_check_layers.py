"""The layering rule, on made-up trees."""

from pathlib import Path

import pytest
from check_layers import LAYERS, ROOMS, ROOT, TESTING, breach, breaches


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("core/admission/issuer.cpp", "base/clock.hpp"),
        ("core/admission/issuer.cpp", "core/claims/recorder.hpp"),
        ("gate/redis/gate.cpp", "core/ports/gate.hpp"),
        ("gate/redis.cpp", "hiredis/hiredis.h"),
        ("http/server.hpp", "boost/asio/awaitable.hpp"),
        ("cli/wire.cpp", "store/postgres/postgres.hpp"),
        ("store/sqlite/sqlite.cpp", "sqlite3.h"),
        ("events/kafka.hpp", "vector"),
        ("base/error.hpp", "boost/system/result.hpp"),
        ("gate/redis.cpp", "embedded/lua.hpp"),
        ("core/admission/issuer_test.cpp", "gate/memory/memory.hpp"),
        ("gate/testing/redis.hpp", "boost/asio/io_context.hpp"),
        ("core/admission/issuer_test.cpp", "core/testing/world.hpp"),
    ],
)
def test_allowed(path: str, header: str) -> None:
    assert breach(Path(path), header) is None


@pytest.mark.parametrize(
    ("path", "header", "reason"),
    [
        ("base/log.cpp", "core/coupon.hpp", "base/ may not include"),
        ("core/admission/issuer.cpp", "gate/redis/redis.hpp", "core/ may not include"),
        ("gate/redis.cpp", "store/postgres.hpp", "gate/ may not include"),
        ("http/routes.cpp", "cli/config.hpp", "http/ may not include"),
        ("core/admission/issuer.cpp", "boost/asio.hpp", "core/ may not use"),
        ("store/postgres.cpp", "hiredis/hiredis.h", "store/ may not use"),
        ("store/postgres.hpp", "libpq-fe.h", "belongs in a .cpp file"),
        ("gate/redis.hpp", "boost/asio/io_context.hpp", "belongs in a .cpp file"),
        ("core/admission/issuer_test.cpp", "hiredis/hiredis.h", "core/ may not use"),
        ("core/model/coupon.hpp", "core/ports/gate.hpp", "core/model/ may not include"),
        ("core/chain/relay.cpp", "core/admission/issuer.hpp", "core/chain/ may not include"),
        ("core/helpers/strings.hpp", "core/model/coupon.hpp", "not in the list of rooms"),
        ("store/sqlite/sqlite.cpp", "core/catalog/catalog.hpp", "store/ may not include"),
        ("core/admission/issuer.cpp", "core/testing/world.hpp", "is for tests"),
        ("utils/strings.hpp", "string", "not in the list of layers"),
    ],
)
def test_refused(path: str, header: str, reason: str) -> None:
    assert reason in (breach(Path(path), header) or "")


def test_a_breach_is_named_by_file_and_line(tmp_path: Path) -> None:
    source = tmp_path / "src" / "core" / "admission" / "issuer.cpp"
    source.parent.mkdir(parents=True)
    source.write_text('#include <string>\n  #  include "http/server.hpp"\n')
    assert list(breaches(tmp_path / "src")) == [
        "src/core/admission/issuer.cpp:2: core/ may not include http/server.hpp"
    ]


def test_every_folder_of_the_project_is_a_layer() -> None:
    assert {path.name for path in (ROOT / "src").iterdir() if path.is_dir()} == set(LAYERS)


def test_every_folder_of_core_is_a_room() -> None:
    rooms = {path.name for path in (ROOT / "src" / "core").iterdir() if path.is_dir()}
    assert rooms == set(ROOMS) | {TESTING}
