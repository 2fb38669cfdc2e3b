//! What `help` tells, and the names that complete when a server does not tell its own.

use super::documents;

type Entry = (&'static str, &'static str, &'static str);

/// Commands with their arguments and what they do, in groups.
const COMMANDS: &[Entry] = &[
    ("GET", "key", "the value of a key"),
    ("SET", "key value [NX|XX] [GET] [EX seconds|PX milliseconds|KEEPTTL]", "set a key"),
    ("MGET", "key...", "the values of several keys"),
    ("MSET", "key value...", "set several keys as one"),
    ("DEL", "key...", "delete keys; how many were there"),
    ("EXISTS", "key...", "how many of the keys are there"),
    ("INCR", "key", "add 1 to an integer"),
    ("INCRBY", "key increment", "add to an integer"),
    ("DECR", "key", "take 1 from an integer"),
    ("APPEND", "key value", "add to the end of a value"),
    ("STRLEN", "key", "the length of a value"),
    ("TYPE", "key", "what a key holds"),
    ("EXPIRE", "key seconds", "let a key vanish after a while"),
    ("TTL", "key", "how many seconds a key has left"),
    ("PERSIST", "key", "let a key stay for ever"),
    ("RENAME", "key new-key", "give a key another name"),
    ("HSET", "key field value...", "set fields of a hash"),
    ("HGET", "key field", "the value of a field"),
    ("HGETALL", "key", "all fields with their values"),
    ("HDEL", "key field...", "delete fields"),
    ("HLEN", "key", "how many fields there are"),
    ("SCAN", "cursor [MATCH pattern] [COUNT n]", "go through the keys, a few at a time"),
    ("KEYS", "pattern", "all keys that match"),
    ("DBSIZE", "", "how many keys there are"),
    ("SS.RANGE", "start end [LIMIT n] [REV] [KEYSONLY]", "entries in order; - and + are the open ends"),
    ("SS.PREFIX", "prefix [LIMIT n] [REV] [KEYSONLY]", "entries whose keys begin with a prefix"),
    ("SS.DELRANGE", "start end", "delete a range, as one write"),
    ("SS.SNAPSHOT", "OPEN | CLOSE id | GET id key | RANGE id start end", "views of one moment"),
    ("SS.STATS", "", "what the engine counts"),
    ("MULTI", "", "begin a transaction"),
    ("EXEC", "", "carry it out, as one"),
    ("DISCARD", "", "forget it"),
    ("WATCH", "key...", "let EXEC do nothing when a key has changed"),
    ("SELECT", "number", "go to another database"),
    ("PING", "[message]", "whether the server answers"),
    ("INFO", "[section]", "what the server tells about itself"),
    ("AUTH", "[user] password", "say who you are; without words you are asked for the password"),
    ("COMMAND", "[DOCS name...]", "what commands there are"),
];

/// What a database without a server understands.
pub const LOCAL: &[Entry] = &[
    ("GET", "key", "the value of a key"),
    ("PUT", "key value", "set a key; on stable storage when it is answered"),
    ("DELETE", "key...", "delete keys; how many were there"),
    ("SCAN", "[prefix [limit]]", "entries in order, 100 if not said otherwise"),
    ("COUNT", "[prefix]", "how many keys there are"),
    ("STATS", "", "what the engine counts"),
    ("VERIFY", "", "read and check every byte"),
];

const WORDS: &str = "\
Words with spaces go in quotes; in double quotes \\n, \\xNN and the like are understood. An open
quote goes on in the next line; {filters} and {documents} are JSON. `help NAME` is about one command; `quit` or Ctrl-D ends.";

/// Names for completion.
pub fn names(local: bool) -> Vec<String> {
    table(local).map(|(name, ..)| (*name).to_string()).chain(documents::names()).collect()
}

fn table(local: bool) -> impl Iterator<Item = &'static Entry> {
    if local { LOCAL.iter() } else { COMMANDS.iter() }
}

/// The help about everything, or about one command.
pub fn text(about: Option<&str>, local: bool) -> String {
    let line = |(name, args, what): &Entry| {
        let call = [*name, *args].join(" ");
        format!("  {:<40} {what}\n", call.trim_end())
    };
    let Some(about) = about else {
        let lines: String = table(local).map(line).collect();
        let documents: String = documents::COMMANDS.iter().map(line).collect();
        return format!("{lines}\nTables of documents:\n{documents}\n{WORDS}");
    };
    let named = |(name, ..): &&Entry| name.eq_ignore_ascii_case(about);
    // One name may be of two commands.
    let lines: String = table(local).chain(documents::COMMANDS).filter(named).map(line).collect();
    match lines.trim_end() {
        "" if local => format!("there is no command `{about}`: `help` lists those there are"),
        "" => format!("nothing is known here about `{about}`: `COMMAND DOCS {about}` asks the server"),
        lines => lines.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_knows_all_and_each() {
        let all = text(None, false);
        assert!(all.contains("  SS.RANGE start end") && all.contains("quit"), "{all}");
        assert_eq!(
            text(Some("ping"), false),
            "  PING [message]                           whether the server answers"
        );
        assert!(text(Some("nothing"), true).contains("`help`"));
        assert!(names(true).contains(&"PUT".to_string()));
    }
}
