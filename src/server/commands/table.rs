//! All commands, by name.
//!
//! A row says how many arguments there are, the name counted (a negative number: at least so many), where among them the keys
//! are (first, last counted from the end when negative, step), which locks it needs, and what clients are told of it.

use super::spec::{Commands, Flag, Lock, Spec};
use super::{
    Run, admin, bits, client, connection, expiry, flush, hashes, info, keys, lcs, ranges, reflection,
};
use super::{scan, set, strings, transactions};
use crate::sync::OnceLock;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use xxhash_rust::xxh3::xxh3_64;

const NONE: (i32, i32, i32) = (0, 0, 0);
const ONE: (i32, i32, i32) = (1, 1, 1);
const TWO: (i32, i32, i32) = (1, 2, 1);
const EACH: (i32, i32, i32) = (1, -1, 1);
const PAIRS: (i32, i32, i32) = (1, -1, 2);

const READ: &[Flag] = &[Flag::Readonly];
const READ_FAST: &[Flag] = &[Flag::Readonly, Flag::Fast];
const WRITE: &[Flag] = &[Flag::Write];
const WRITE_FAST: &[Flag] = &[Flag::Write, Flag::Fast];
const FAST: &[Flag] = &[Flag::Fast];
const ADMIN: &[Flag] = &[Flag::Admin];
const ALONE: &[Flag] = &[Flag::Fast, Flag::Alone];
const GREETING: &[Flag] = &[Flag::Fast, Flag::NoAuth, Flag::Alone];

type Keys = (i32, i32, i32);

/// A command that reads once.
const fn read(
    name: &'static str,
    arity: i32,
    run: super::OnData,
    keys: Keys,
    flags: &'static [Flag],
) -> Spec {
    Spec { name, arity, run: Run::Data(run), lock: Lock::None, flags, keys }
}

/// A command that reads several things of one moment.
const fn view(
    name: &'static str,
    arity: i32,
    run: super::OnData,
    keys: Keys,
    flags: &'static [Flag],
) -> Spec {
    Spec { name, arity, run: Run::Data(run), lock: Lock::Keys, flags, keys }
}

/// A command that writes.
const fn write(
    name: &'static str,
    arity: i32,
    run: super::OnData,
    keys: Keys,
    flags: &'static [Flag],
) -> Spec {
    Spec { name, arity, run: Run::Data(run), lock: Lock::Keys, flags, keys }
}

/// A command that writes wherever it likes.
const fn sweeping(name: &'static str, arity: i32, run: super::OnData, keys: Keys) -> Spec {
    Spec { name, arity, run: Run::Data(run), lock: Lock::All, flags: WRITE, keys }
}

const fn put(name: &'static str, arity: i32, parse: set::Parse) -> Spec {
    Spec { name, arity, run: Run::Set(parse), lock: Lock::Keys, flags: WRITE_FAST, keys: ONE }
}

const fn server(name: &'static str, arity: i32, run: super::OnServer, flags: &'static [Flag]) -> Spec {
    Spec { name, arity, run: Run::Server(run), lock: Lock::None, flags, keys: NONE }
}

/// A command on the server that names keys.
const fn walk(name: &'static str, arity: i32, run: super::OnServer, keys: Keys) -> Spec {
    Spec { name, arity, run: Run::Server(run), lock: Lock::None, flags: READ, keys }
}

/// All of them, by family: connection, server, keys, strings, transactions,
/// hashes; then our own.
// tidy: long because it is a table, one line a command.
static ALL: &[Spec] = &[
    server("ping", -1, connection::ping, FAST),
    server("echo", 2, connection::echo, FAST),
    server("auth", -2, connection::auth, GREETING),
    server("hello", -1, connection::hello, GREETING),
    server("select", 2, keys::select, FAST),
    server("quit", -1, connection::quit, GREETING),
    server("reset", 1, connection::reset, GREETING),
    server("client", -2, client::client, ADMIN),
    server("info", -1, info::info, &[]),
    server("config", -2, admin::config, ADMIN),
    server("command", -1, reflection::command, &[]),
    server("time", 1, admin::time, FAST),
    server("lastsave", 1, admin::lastsave, FAST),
    server("save", 1, admin::save, ADMIN),
    server("bgsave", -1, admin::bgsave, ADMIN),
    server("shutdown", -1, admin::shutdown, &[Flag::Admin, Flag::Alone]),
    server("slowlog", -2, admin::slowlog, ADMIN),
    server("latency", -2, admin::latency, ADMIN),
    server("debug", -2, admin::debug, ADMIN),
    server("role", 1, admin::role, FAST),
    server("module", -2, admin::module, ADMIN),
    server("cluster", -2, admin::cluster, &[]),
    server("acl", -2, admin::acl, ADMIN),
    read("dbsize", 1, flush::dbsize, NONE, READ),
    sweeping("flushdb", -1, flush::flushdb, NONE),
    sweeping("flushall", -1, flush::flushall, NONE),
    Spec { flags: &[Flag::Write, Flag::Alone], ..server("swapdb", 3, flush::swapdb, WRITE) },
    view("memory", -2, keys::memory, (2, 2, 1), READ),
    read("object", -2, keys::object, (2, 2, 1), READ),
    write("del", -2, keys::del, EACH, WRITE),
    write("unlink", -2, keys::del, EACH, WRITE_FAST),
    view("exists", -2, keys::exists, EACH, READ_FAST),
    view("touch", -2, keys::exists, EACH, READ_FAST),
    read("type", 2, keys::kind, ONE, READ_FAST),
    read("keys", 2, scan::keys, NONE, READ),
    server("scan", -2, scan::scan, READ),
    read("randomkey", 1, scan::randomkey, NONE, READ),
    write("rename", 3, keys::rename, TWO, WRITE),
    write("renamenx", 3, keys::renamenx, TWO, WRITE_FAST),
    sweeping("copy", -3, keys::copy, TWO),
    sweeping("move", 3, keys::move_key, ONE),
    write("expire", -3, expiry::expire, ONE, WRITE_FAST),
    write("pexpire", -3, expiry::pexpire, ONE, WRITE_FAST),
    write("expireat", -3, expiry::expireat, ONE, WRITE_FAST),
    write("pexpireat", -3, expiry::pexpireat, ONE, WRITE_FAST),
    read("expiretime", 2, expiry::expiretime, ONE, READ_FAST),
    read("pexpiretime", 2, expiry::pexpiretime, ONE, READ_FAST),
    read("ttl", 2, expiry::ttl, ONE, READ_FAST),
    read("pttl", 2, expiry::pttl, ONE, READ_FAST),
    write("persist", 2, expiry::persist, ONE, WRITE_FAST),
    Spec { run: Run::Get, ..read("get", 2, strings::get, ONE, READ_FAST) },
    put("set", -3, set::set),
    put("setnx", 3, set::setnx),
    put("setex", 4, set::setex),
    put("psetex", 4, set::psetex),
    put("getset", 3, set::getset),
    write("getdel", 2, strings::getdel, ONE, WRITE_FAST),
    write("getex", -2, set::getex, ONE, WRITE_FAST),
    view("mget", -2, strings::mget, EACH, READ_FAST),
    write("mset", -3, strings::mset, PAIRS, WRITE),
    write("msetnx", -3, strings::msetnx, PAIRS, WRITE),
    write("incr", 2, strings::incr, ONE, WRITE_FAST),
    write("decr", 2, strings::decr, ONE, WRITE_FAST),
    write("incrby", 3, strings::incrby, ONE, WRITE_FAST),
    write("decrby", 3, strings::decrby, ONE, WRITE_FAST),
    write("incrbyfloat", 3, strings::incrbyfloat, ONE, WRITE_FAST),
    write("append", 3, strings::append, ONE, WRITE_FAST),
    read("strlen", 2, strings::strlen, ONE, READ_FAST),
    read("getrange", 4, strings::getrange, ONE, READ),
    read("substr", 4, strings::getrange, ONE, READ),
    write("setrange", 4, strings::setrange, ONE, WRITE),
    read("getbit", 3, bits::getbit, ONE, READ_FAST),
    write("setbit", 4, bits::setbit, ONE, WRITE),
    read("bitcount", -2, bits::bitcount, ONE, READ),
    view("lcs", -3, lcs::lcs, TWO, READ),
    server("multi", 1, transactions::multi, ALONE),
    server("exec", 1, transactions::exec, ALONE),
    server("discard", 1, transactions::discard, ALONE),
    Spec { keys: EACH, ..server("watch", -2, transactions::watch, ALONE) },
    server("unwatch", 1, transactions::unwatch, FAST),
    write("hset", -4, hashes::hset, ONE, WRITE_FAST),
    write("hmset", -4, hashes::hmset, ONE, WRITE_FAST),
    write("hsetnx", 4, hashes::hsetnx, ONE, WRITE_FAST),
    view("hget", 3, hashes::hget, ONE, READ_FAST),
    view("hmget", -3, hashes::hmget, ONE, READ_FAST),
    view("hgetall", 2, hashes::hgetall, ONE, READ),
    view("hkeys", 2, hashes::hkeys, ONE, READ),
    view("hvals", 2, hashes::hvals, ONE, READ),
    write("hdel", -3, hashes::hdel, ONE, WRITE_FAST),
    view("hexists", 3, hashes::hexists, ONE, READ_FAST),
    read("hlen", 2, hashes::hlen, ONE, READ_FAST),
    view("hstrlen", 3, hashes::hstrlen, ONE, READ_FAST),
    write("hincrby", 4, hashes::hincrby, ONE, WRITE_FAST),
    write("hincrbyfloat", 4, hashes::hincrbyfloat, ONE, WRITE_FAST),
    walk("hscan", -3, scan::hscan, ONE),
    view("hrandfield", -2, hashes::hrandfield, ONE, READ),
    read("ss.range", -3, ranges::range, NONE, READ),
    read("ss.prefix", -2, ranges::prefix, NONE, READ),
    sweeping("ss.delrange", 3, ranges::delrange, NONE),
    server("ss.snapshot", -2, ranges::snapshot, READ),
    server("ss.compact", 1, ranges::compact, ADMIN),
    server("ss.stats", 1, ranges::stats, READ),
];

/// All of them, and the way to one.
pub(in crate::server) static COMMANDS: Commands = Commands { all: ALL, find };

/// The longest name that is looked for.
const MAX_NAME: usize = 32;

/// Names are short, and there are few; nobody can add any. So a fast hash does.
#[derive(Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= xxh3_64(bytes);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type ByName = HashMap<&'static [u8], &'static Spec, BuildHasherDefault<NameHasher>>;

/// The command of a name, in upper or lower case.
pub(in crate::server) fn find(name: &[u8]) -> Option<&'static Spec> {
    static BY_NAME: OnceLock<ByName> = OnceLock::new();
    let by_name = BY_NAME.get_or_init(|| ALL.iter().map(|spec| (spec.name.as_bytes(), spec)).collect());
    let mut lower = [0; MAX_NAME];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    by_name.get(&*lower).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::resp::args::OwnedArgs;

    #[test]
    fn names_are_found_in_any_case_and_stand_once() {
        assert_eq!(find(b"GeT").unwrap().name, "get");
        assert_eq!(find(b"ss.RANGE").unwrap().name, "ss.range");
        assert!(find(b"").is_none() && find(&[b'x'; 100]).is_none());
        for spec in ALL {
            assert!(std::ptr::eq(find(spec.name.as_bytes()).unwrap(), spec), "{} stands twice", spec.name);
        }
    }

    #[test]
    fn keys_among_arguments() {
        let keys = |line: &str| {
            let args: OwnedArgs = line.split(' ').collect();
            let spec = find(args.args().name()).unwrap();
            spec.keys_of(args.args()).map(|key| String::from_utf8(key.to_vec()).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(keys("get a"), ["a"]);
        assert_eq!(keys("mset a 1 b 2"), ["a", "b"]);
        assert_eq!(keys("del a b c"), ["a", "b", "c"]);
        assert_eq!(keys("rename a b"), ["a", "b"]);
        assert_eq!(keys("object encoding a"), ["a"]);
        assert!(keys("flushall").is_empty());
    }
}
