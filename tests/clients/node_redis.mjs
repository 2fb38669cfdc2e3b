// What users of node-redis do, in both versions of the protocol, against a server whose port is given.

import assert from "node:assert/strict";
import { createClient } from "redis";

for (const RESP of [2, 3]) {
  const db = createClient({ socket: { port: Number(process.argv[2]) }, name: "tests", RESP });
  db.on("error", (error) => {
    throw error;
  });
  await db.connect();
  await db.flushAll();
  assert.equal(await db.ping(), "PONG");
  assert.equal(await db.set("k", "v", { EX: 100 }), "OK");
  assert.equal(await db.get("k"), "v");
  assert.equal(await db.ttl("k"), 100);
  assert.equal(await db.set("k", "w", { NX: true }), null);
  assert.deepEqual(await db.mGet(["k", "none"]), ["v", null]);
  assert.equal(await db.incrBy("n", 7), 7);
  assert.equal(await db.hSet("h", { one: 1, two: 2 }), 2);
  assert.deepEqual({ ...(await db.hGetAll("h")) }, { one: "1", two: "2" });
  assert.deepEqual(await db.multi().set("a", 1).incr("a").exec(), ["OK", 2]);
  await Promise.all(Array.from({ length: 1000 }, (_, n) => db.set(`pipe:${n}`, String(n))));
  let found = 0;
  for await (const keys of db.scanIterator({ MATCH: "pipe:*", COUNT: 100 })) found += [keys].flat().length;
  assert.equal(found, 1000);
  await assert.rejects(db.get("h"), /WRONGTYPE/);
  await assert.rejects(db.sendCommand(["nonsense"]), /unknown command/);
  await db.quit();
}
