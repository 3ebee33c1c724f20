"""Redis refuses a command in the middle of a script: that is an outage, and heals once it is allowed."""

import pytest
from harness.recovery import Sale
from harness.seonchak import Seonchak, Serve
from harness.servers import RedisServer, SharedServer

USER = "seonchak"
PASSWORD = "test-only"

# What operating.md says that a server needs.
RULES = (
    *("resetkeys", "~{coupon:*", "~seonchak:active", "resetchannels", "-@all"),
    *("+ping", "+info", "+config|get", "+select", "+time", "+evalsha", "+eval"),
    *("+hget", "+hmget", "+hset", "+hdel", "+hlen", "+hscan"),
    *("+xadd", "+xread", "+xrange", "+xlen", "+xtrim"),
    *("+get", "+set", "+del", "+unlink", "+exists", "+pttl", "+pexpire"),
    *("+zadd", "+zrange", "+zscore", "+zrem"),
)


@pytest.fixture
def sale(serve: Serve, own_redis: RedisServer, kafka_server: SharedServer, topic: str, database: str) -> Sale:
    own_redis.client().acl_setuser(USER, enabled=True, passwords=[f"+{PASSWORD}"])
    allow(own_redis, *RULES)
    gate = f"redis://{USER}:{PASSWORD}@127.0.0.1:{own_redis.port}/0"
    return Sale(serve, gate, f"kafka://{kafka_server.address}/{topic}", database, topic)


def allow(redis: RedisServer, *rules: str) -> None:
    redis.client().execute_command("ACL", "SETUSER", USER, *rules)


def denied(redis: RedisServer) -> list[str]:
    return [entry["object"] for entry in redis.client().acl_log()]


def create(sale: Sale, roles: str = "api,relay,consumer") -> Seonchak:
    server = sale.start(roles)
    sale.create(server)
    return server


def test_the_rules_that_are_documented_are_enough(sale: Sale, own_redis: RedisServer) -> None:
    server = create(sale)
    issued = sale.issue_all(server, 0, 30)
    sale.wait_until(server, "persisted", 30)
    own_redis.client().flushall()
    sale.wait_for_rows(sale.sell_the_rest(server, issued))
    assert denied(own_redis) == []


@pytest.mark.parametrize("command", ["hset", "hmget", "hlen", "xadd", "evalsha"])
def test_a_command_is_forbidden_while_coupons_are_issued(
    sale: Sale, own_redis: RedisServer, command: str
) -> None:
    server = create(sale)
    issued = sale.issue_all(server, 0, 5)
    allow(own_redis, f"-{command}")
    for user in ("x", "y", "x"):
        assert sale.issue(server, user).status == 503
    assert denied(own_redis)
    allow(own_redis, f"+{command}")
    for user in ("x", "y"):
        issued[user] = sale.answer(server, user).json()["sequence"]
    sale.wait_for_rows(sale.sell_the_rest(server, issued))


@pytest.mark.parametrize("command", ["hset", "xadd", "unlink", "hdel", "del"])
def test_a_command_is_forbidden_during_a_recovery(sale: Sale, own_redis: RedisServer, command: str) -> None:
    server = create(sale, "api")
    issued = sale.issue_all(server, 0, 5)
    allow(own_redis, f"-{command}")
    own_redis.client().delete("{coupon:c}:outbox")
    assert sale.issue(server, "x").status == 503
    allow(own_redis, f"+{command}")
    issued["x"] = sale.answer(server, "x").json()["sequence"]
    everyone = sale.sell_the_rest(server, issued)
    sale.start("relay,consumer")
    sale.wait_for_rows(everyone)
