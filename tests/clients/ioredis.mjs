// What users of ioredis do, against a server whose port is given.

import assert from "node:assert/strict";
import Redis from "ioredis";

const db = new Redis({ port: Number(process.argv[2]), connectionName: "tests", enableReadyCheck: true });
await db.flushall();
assert.equal(await db.ping(), "PONG");
assert.equal(await db.set("k", "v", "EX", 100), "OK");
assert.equal(await db.get("k"), "v");
assert.equal(await db.ttl("k"), 100);
assert.equal(await db.set("k", "w", "NX"), null);
assert.deepEqual(await db.mget("k", "none"), ["v", null]);
assert.equal(await db.incrby("n", 7), 7);
assert.equal(await db.hset("h", { one: 1, two: 2 }), 2);
assert.deepEqual(await db.hgetall("h"), { one: "1", two: "2" });
assert.deepEqual(await db.multi().set("a", 1).incr("a").exec(), [[null, "OK"], [null, 2]]);
const replies = await Promise.all(Array.from({ length: 1000 }, (_, n) => db.set(`pipe:${n}`, n)));
assert.ok(replies.every((reply) => reply === "OK"));
let found = 0;
for await (const keys of db.scanStream({ match: "pipe:*", count: 100 })) found += keys.length;
assert.equal(found, 1000);
await assert.rejects(db.get("h"), /WRONGTYPE/);
await assert.rejects(db.call("nonsense"), /unknown command/);
assert.deepEqual(await db.call("SS.RANGE", "pipe:998", "pipe:999"), ["pipe:998", "998", "pipe:999", "999"]);
const value = Buffer.from(Array.from({ length: 100000 }, (_, n) => n % 256));
await db.set("bytes", value);
assert.deepEqual(await db.getBuffer("bytes"), value);
await db.quit();
