"""What no honest client sends, at the real program: each gets its error, and others are served meanwhile."""

import resource
import socket
import time
from contextlib import ExitStack

import pytest
from harness import coupons, http
from harness.seonchak import Seonchak, Serve

IDLE_CONNECTIONS = 10_000
ISSUE = "POST /v1/coupons/c/issue HTTP/1.1\r\n"


@pytest.fixture
def server(serve: Serve) -> Seonchak:
    program = serve("--store", "sqlite:bad.db")
    coupons.create(program, "c", 10)
    return program


def status_of(answer: bytes) -> int:
    """0 when the connection was closed without an answer."""
    return int(answer[9:12]) if answer else 0


@pytest.mark.parametrize(
    ("what", "data", "status"),
    [
        ("no Host", ISSUE + "X-User-Id: a\r\n\r\n", 400),
        ("two Hosts", ISSUE + "Host: a\r\nHost: b\r\nX-User-Id: a\r\n\r\n", 400),
        ("chunked", ISSUE + "Host: a\r\nX-User-Id: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        ("odd transfer", ISSUE + "Host: a\r\nX-User-Id: a\r\nTransfer-Encoding: x\r\n\r\n", 501),
        ("long header", ISSUE + "Host: a\r\nX-User-Id: a\r\nX: " + "y" * 9_000 + "\r\n\r\n", 431),
        ("long body", ISSUE + "Host: a\r\nX-User-Id: a\r\nContent-Length: 5000\r\n\r\n", 413),
        (
            "huge length",
            ISSUE + "Host: a\r\nX-User-Id: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
            400,
        ),
        ("no user", ISSUE + "Host: a\r\n\r\n", 400),
        ("65 bytes of user", ISSUE + "Host: a\r\nX-User-Id: " + "u" * 65 + "\r\n\r\n", 400),
        ("space in user", ISSUE + "Host: a\r\nX-User-Id: a b\r\n\r\n", 400),
        ("non-ASCII user", ISSUE + "Host: a\r\nX-User-Id: \u00e9\r\n\r\n", 400),
        ("control byte in user", ISSUE + "Host: a\r\nX-User-Id: a\x01b\r\n\r\n", 400),
        ("two users", ISSUE + "Host: a\r\nX-User-Id: a\r\nX-User-Id: b\r\n\r\n", 400),
        ("unknown method", "BREW /v1/coupons/c/issue HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        ("wrong method", "PUT /v1/coupons/c/issue HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("unknown path", "GET /v2/coupons HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("bad coupon id", "POST /v1/coupons/a%7Db/issue HTTP/1.1\r\nHost: a\r\nX-User-Id: a\r\n\r\n", 404),
        ("not HTTP", "hello\r\n\r\n", 400),
    ],
)
def test_malformed_requests_get_their_error(server: Seonchak, what: str, data: str, status: int) -> None:
    assert status_of(http.raw(server.address, data.encode("latin-1"))) == status, what
    assert coupons.issue(server, "c", "a").status == 201


@pytest.mark.parametrize(
    ("body", "status", "fields"),
    [
        ("{", 400, []),
        ("[]", 400, []),
        ('{"name":"A","stock":0}', 422, ["stock"]),
        ('{"name":"A","stock":10000001}', 422, ["stock"]),
        ('{"name":"A","stock":1e400}', (400, 422), None),
        ('{"name":"A","stock":99999999999999999999999}', 422, ["stock"]),
        ('{"name":"A","stock":1.5}', 422, ["stock"]),
        ('{"name":7,"stock":"1"}', 422, ["name", "stock"]),
        (
            '{"name":"A","stock":1,"opensAt":"2026-01-02T00:00:00Z","closesAt":"2026-01-01T00:00:00Z"}',
            422,
            ["closesAt"],
        ),
        ('{"name":"A","stock":1,"opensAt":"tomorrow"}', 422, ["opensAt"]),
        ('{"name":"A","stock":1,"ack":"disk"}', 422, ["ack"]),
        ('{"name":"A","stock":1,"id":"a b"}', 422, ["id"]),
        ('{"name":"A","stock":1,"id":"\\u00e9"}', 422, ["id"]),
        ('{"name":"A","stock":1,"colour":"red"}', 422, ["colour"]),
    ],
)
def test_bad_coupons_name_each_bad_field(
    server: Seonchak, body: str, status: int | tuple[int, ...], fields: list[str] | None
) -> None:
    reply = http.call(server.address, "POST", "/v1/coupons", {"Content-Type": "application/json"}, body)
    assert reply.status in (status if isinstance(status, tuple) else (status,)), reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    if fields is not None:
        assert [error["field"] for error in reply.json().get("errors", [])] == fields


@pytest.mark.timeout(90)
def test_a_half_sent_request_is_closed_by_its_deadline(server: Seonchak) -> None:
    began = time.monotonic()
    answer = http.raw(server.address, ISSUE.encode() + b"Host: a\r\nX-Us", timeout_s=60, half_close=False)
    assert status_of(answer) in (0, 408)
    assert time.monotonic() - began < 60


@pytest.mark.timeout(180)
def test_ten_thousand_idle_connections_disturb_nobody(server: Seonchak) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with ExitStack() as stack:
            for _ in range(IDLE_CONNECTIONS):
                stack.enter_context(socket.create_connection(server.address, timeout=10))
            reply = coupons.issue(server, "c", "a")
            assert (reply.status, reply.json()["sequence"]) == (201, 1)
            assert "seonchak_http_connections 100" in http.call(server.address, "GET", "/metrics").text
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert http.call(server.address, "GET", "/healthz").status == 200
