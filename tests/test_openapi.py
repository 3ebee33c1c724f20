"""docs/openapi.yaml is true: schemathesis makes requests of it and holds the answers against it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from harness import http
from harness.process import ROOT
from harness.seonchak import Seonchak, Serve
from schemathesis.checks import not_a_server_error

DOCUMENT = ROOT / "docs" / "openapi.yaml"
SETTINGS = ROOT / "tests" / "openapi" / "schemathesis.toml"
SCHEMA = schemathesis.openapi.from_path(DOCUMENT)
KEY = "s3cret"
AUTHORIZATION = {"Authorization": f"Bearer {KEY}"}
METHODS = {"get", "put", "post", "patch", "delete", "head", "options", "trace"}


@pytest.fixture
def server(serve: Serve) -> Seonchak:
    return serve("--store", "sqlite:api.db", "--admin-key", KEY)


def routes_of(server: Seonchak) -> dict[str, set[str]]:
    """Path pattern -> methods: the metrics name every route, and a 405 every method of one."""
    patterns = {match[1] for name in server.metrics() if (match := re.search(r'route="(/[^"]*)"', name))}
    routes = {}
    for pattern in patterns:
        reply = http.call(server.address, "OPTIONS", pattern.replace("{id}", "a"))
        assert (reply.status, reply.json()["code"]) == (405, "method_not_allowed")
        routes[pattern] = set(reply.headers["allow"].lower().split(", "))
    return routes


def run_schemathesis(server: Seonchak, folder: Path, *flags: str, headers: dict[str, str]) -> None:
    """Runs it to its end; an assertion fails with all it printed. Whatever it writes lies in `folder`."""
    body = {"id": "plenty", "name": "Plenty", "stock": 10_000_000}
    assert http.call(server.address, "POST", "/v1/coupons", headers, body).status == 201
    sent = [f"--header={name}: {value}" for name, value in headers.items()]
    program = [str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(SETTINGS)]
    common = ["run", str(DOCUMENT), "--no-color", "--continue-on-failure", f"--url={server.url}"]
    ended = subprocess.run(
        [*program, *common, *sent, *flags],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(SETTINGS.parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def expect_accepted(server: Seonchak, routes: Iterable[str]) -> None:
    """A server that refuses everything would keep to the document, and prove nothing."""
    counts = server.metrics()
    for route in routes:
        assert counts[f'seonchak_http_requests_total{{route="{route}",status="2xx"}}'] > 0, route
    assert sum(count for name, count in counts.items() if 'status="5xx"' in name) == 0
    assert http.call(server.address, "GET", "/readyz").status == 200


def test_the_document_and_the_server_name_the_same_routes(server: Seonchak) -> None:
    documented = {
        re.sub(r"\{\w+\}", "{id}", path): METHODS & set(item)
        for path, item in SCHEMA.raw_schema["paths"].items()
    }
    answered = routes_of(server)
    for methods in answered.values():
        assert ("head" in methods) == ("get" in methods)
        methods.discard("head")
    assert answered == documented


def test_the_document_and_the_server_name_the_same_problems() -> None:
    table = (ROOT / "src" / "http" / "problem.cpp").read_text()
    codes = re.findall(r'ProblemKind\{\s*ProblemCode::\w+,\s*"(\w+)"', table)
    assert SCHEMA.raw_schema["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == codes


@pytest.mark.timeout(240)
def test_the_server_keeps_to_the_document(server: Seonchak, tmp_path: Path) -> None:
    run_schemathesis(server, tmp_path, "--max-examples=12", headers=AUTHORIZATION)
    expect_accepted(server, routes_of(server))
    assert server.metrics()['seonchak_answers_total{result="issued"}'] > 0


@pytest.mark.timeout(240)
def test_on_loopback_the_document_holds_without_a_key(serve: Serve, tmp_path: Path) -> None:
    server = serve("--store", "sqlite:api.db")
    # ignored_auth: these calls are meant to pass without a key here.
    without_key = ["--exclude-checks=ignored_auth", "--generation-with-security-parameters=false"]
    only = ["--phases=examples,coverage", "--include-tag=administration"]
    run_schemathesis(server, tmp_path, *only, *without_key, headers={})
    expect_accepted(server, ["/v1/coupons", "/v1/coupons/{id}", "/v1/coupons/{id}/close"])


def test_a_coupons_life_goes_by_the_document(server: Seonchak) -> None:
    """What chance seldom reaches: each answer to a user, in the order in which they come."""

    def ask(operation: str, status: int, headers: dict[str, str] | None = None, **parts: Any) -> Any:
        case = SCHEMA.find_operation_by_id(operation).Case(headers=headers or {}, **parts)
        response = case.call_and_validate(base_url=server.url, headers=headers)
        assert response.status_code == status, response.text
        return response.json()

    def create(status: int, **fields: Any) -> Any:
        body = {"name": "Tea \u2615", "stock": 1, **fields}
        return ask("createCoupon", status, AUTHORIZATION, body=body, media_type="application/json")

    def issue(coupon: str, user: str, status: int) -> Any:
        return ask("issueCoupon", status, {"X-User-Id": user}, path_parameters={"id": coupon})

    def change(status: int, **fields: Any) -> Any:
        parts = {"path_parameters": {"id": "tea"}, "body": fields, "media_type": "application/json"}
        return ask("changeCoupon", status, AUTHORIZATION, **parts)

    create(201, id="tea", closesAt="2999-01-01T00:00:00+09:00")
    create(409, id="tea")
    numbered = create(201, opensAt="2999-01-01T00:00:00Z")["id"]

    assert issue("tea", "kim", 201)["sequence"] == 1
    assert issue("tea", "kim", 200)["sequence"] == 1
    assert issue("tea", "lee", 409)["code"] == "sold_out"
    assert issue(numbered, "kim", 403)["code"] == "not_open"
    assert issue("coffee", "kim", 404)["code"] == "coupon_not_found"
    assert change(200, stock=2, closesAt=None)["remaining"] == 1
    assert issue("tea", "lee", 201)["sequence"] == 2
    assert change(409, stock=1)["code"] == "stock_below_issued"

    assert ask("showCoupon", 200, path_parameters={"id": "tea"})["status"] == "sold_out"
    assert [
        held["couponId"] for held in ask("showUserCoupons", 200, path_parameters={"userId": "kim"})["coupons"]
    ] == ["tea"]
    page = ask("listCoupons", 200, AUTHORIZATION, query={"limit": 1})
    assert ask("listCoupons", 200, AUTHORIZATION, query={"after": page["next"]})["next"] is None
    assert ask("closeCoupon", 200, AUTHORIZATION, path_parameters={"id": "tea"})["closed"]
    assert issue("tea", "park", 403)["code"] == "closed"
    assert issue("tea", "kim", 200)["sequence"] == 1


@pytest.mark.parametrize(
    ("status", "code", "sent"),
    [
        (400, "bad_json", {"data": "{", "headers": {"Content-Type": "application/json"}}),
        (413, "body_too_large", {"data": " " * 5_000, "headers": {"Content-Type": "application/json"}}),
        (415, "unsupported_media_type", {"data": "name=Tea", "headers": {"Content-Type": "text/plain"}}),
        (431, "headers_too_large", {"headers": {"X-Long": "x" * 9_000}}),
        (501, "not_implemented", {"data": iter([b"{}"])}),
    ],
)
def test_refusals_of_whole_requests_are_documented(
    server: Seonchak, status: int, code: str, sent: dict[str, Any]
) -> None:
    """Requests that schemathesis does not think of; an iterator goes out with a Transfer-Encoding."""
    headers = {**AUTHORIZATION, **sent.get("headers", {})}
    case = SCHEMA.find_operation_by_id("createCoupon").Case()
    response = case.call(base_url=server.url, **{**sent, "headers": headers})
    case.validate_response(response, excluded_checks=[not_a_server_error])  # to it a 501 is one
    assert (response.status_code, response.json()["code"]) == (status, code)
