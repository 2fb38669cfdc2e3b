"""What users of redis-py do, against a server whose port and version of the protocol are given."""

import sys
import time

import redis


def main(port: int, protocol: int) -> None:
    db = redis.Redis(port=port, protocol=protocol, decode_responses=True, client_name="tests")
    db.flushall()
    assert db.ping()
    assert db.client_getname() == "tests"

    # Strings
    assert db.set("k", "v") and db.get("k") == "v"
    assert db.set("k", "w", nx=True) is None
    assert db.set("k", "w", get=True) == "v"
    assert db.set("t", "x", px=50) and 0 < db.pttl("t") <= 50
    time.sleep(0.1)
    assert db.get("t") is None and db.ttl("t") == -2
    assert db.incr("n", 5) == 5 and db.incrbyfloat("f", 1.5) == 1.5
    assert db.mset({"a": 1, "b": 2}) and db.mget("a", "none", "b") == ["1", None, "2"]
    assert db.append("k", "!") == 2 and db.getrange("k", 0, 0) == "w" and db.strlen("k") == 2
    assert db.getdel("k") == "w!" and db.exists("k", "a") == 1

    # Keys
    assert db.expire("a", 100) and db.ttl("a") == 100 and db.persist("a")
    assert db.rename("b", "c") and db.type("c") == "string" and db.randomkey()
    for number in range(500):
        db.set(f"scan:{number}", number)
    assert len(set(db.scan_iter("scan:*", count=50))) == 500
    assert db.dbsize() >= 500 and sorted(db.keys("scan:49?")) == [f"scan:49{n}" for n in range(10)]

    # Hashes
    assert db.hset("h", mapping={"one": 1, "two": 2}) == 2
    assert db.hgetall("h") == {"one": "1", "two": "2"}
    assert db.hmget("h", "two", "none") == ["2", None] and db.hincrby("h", "one", 9) == 10
    assert dict(db.hscan_iter("h")) == {"one": "10", "two": "2"}
    assert db.hrandfield("h") in ("one", "two") and db.hdel("h", "one") == 1 and db.hlen("h") == 1
    try:
        db.get("h")
        raise AssertionError("a hash is no string")
    except redis.ResponseError as error:
        assert "WRONGTYPE" in str(error)

    # Pipelines and transactions
    with db.pipeline(transaction=True) as pipe:
        pipe.set("p", 1).incr("p").hget("h", "two")
        assert pipe.execute() == [True, 2, "2"]
    with db.pipeline(transaction=False) as pipe:
        for number in range(1000):
            pipe.set(f"pipe:{number}", number)
        assert all(pipe.execute())

    def add(pipe):
        number = int(pipe.get("p"))
        pipe.multi()
        pipe.set("p", number + 1)

    assert db.transaction(add, "p") == [True] and db.get("p") == "3"

    # The server
    info = db.info()
    assert info["redis_mode"] == "standalone" and info["db0"]["keys"] > 0
    assert "save" in db.config_get("save") and db.command_count() > 50
    assert any(client["name"] == "tests" for client in db.client_list())
    assert isinstance(db.slowlog_get(), list) and db.time()[0] > 0

    # Ordered ranges
    reply = db.execute_command("SS.PREFIX", "scan:49", "LIMIT", 2)
    expected = {"scan:49": "49", "scan:490": "490"}
    assert reply in (expected, [part for pair in expected.items() for part in pair]), reply

    # Bytes
    raw = redis.Redis(port=port, protocol=protocol)
    value = bytes(range(256)) * 1000
    assert raw.set(b"\x00\xff", value) and raw.get(b"\x00\xff") == value
    other = redis.Redis(port=port, protocol=protocol, db=3)
    assert other.set("k", 1) and raw.get("k") is None and other.flushdb()


main(int(sys.argv[1]), int(sys.argv[2]))
