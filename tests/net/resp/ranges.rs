//! Our own commands.

use super::on_each_engine;

#[test]
fn ranges_prefixes_and_snapshots() {
    on_each_engine(|client| {
        client.talk(
            "
            MSET a 1 b 2 c 3 user:1 x user:2 y -> +OK
            SS.RANGE a c -> *6|$1|a|$1|1|$1|b|$1|2|$1|c|$1|3
            SS.RANGE - b -> *4|$1|a|$1|1|$1|b|$1|2
            SS.RANGE - + REV LIMIT 2 KEYSONLY -> *2|$6|user:2|$6|user:1
            SS.RANGE c a -> *0
            SS.RANGE a b LIMIT -1 -> -ERR LIMIT must not be negative
            SS.RANGE a b WRONG -> -ERR syntax error
            SS.PREFIX user: -> *4|$6|user:1|$1|x|$6|user:2|$1|y
            SS.PREFIX user: LIMIT 1 KEYSONLY -> *1|$6|user:1
            SS.SNAPSHOT OPEN -> :1
            SS.DELRANGE user: user:~ -> +OK
            SS.PREFIX user: -> *0
            SS.SNAPSHOT GET 1 user:1 -> $1|x
            SS.SNAPSHOT RANGE 1 user: + KEYSONLY -> *2|$6|user:1|$6|user:2
            SS.SNAPSHOT GET 1 none -> $-1
            SS.SNAPSHOT CLOSE 1 -> :1
            SS.SNAPSHOT CLOSE 1 -> :0
            SS.SNAPSHOT GET 1 a -> -ERR no such snapshot: it was closed, or not asked for ten minutes
            SS.COMPACT -> +OK
            HELLO 2 -> *14|$6|server|$5|redis|$7|version|$5|7.2.0|$5|proto|:2|$2|id|:1|$4|mode|$10|standalone|$4|role|$6|master|$7|modules|*0
            ",
        );
        assert!(client.ask("SS.STATS").contains('{'));
    });
}
