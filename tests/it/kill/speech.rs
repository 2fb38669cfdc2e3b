//! How a writer says its commands, and what it is answered when they are carried out.

use crate::ledger::Command;
use serde_json::json;

/// Lines of JSON, or commands of Redis.
#[derive(Clone, Copy, PartialEq)]
pub enum Speech {
    JsonLines,
    Redis,
}

/// One command as it is sent.
pub struct Said {
    /// What it does, for the ledger.
    pub command: Command,
    pub request: Vec<u8>,
    /// What the server answers when it is done.
    pub reply: Vec<u8>,
}

/// What a line of JSON is answered that was carried out.
const DONE: &[u8] = b"{\"status\":\"ok\",\"result\":true}\n";

impl Speech {
    /// Removes a key that is there.
    pub fn delete(self, key: &str) -> Said {
        let command = vec![(key.to_owned(), None)];
        match self {
            Speech::JsonLines => {
                let request = json!({"command": "delete", "key": key}).to_string() + "\n";
                Said { command, request: request.into(), reply: DONE.into() }
            }
            Speech::Redis => Said { command, request: redis(&["DEL", key]), reply: b":1\r\n".into() },
        }
    }

    /// Puts JSON texts under keys, all or none of them: several `in_steps` are a transaction where there is one.
    pub fn put(self, entries: Vec<(String, String)>, in_steps: bool) -> Said {
        let count = entries.len();
        match (self, &entries[..]) {
            (Speech::JsonLines, [(key, value)]) => {
                let request = format!("{{\"command\":\"put\",\"key\":{},\"value\":{value}}}\n", json!(key));
                said(entries, request.into(), DONE.into(), |text| text)
            }
            (Speech::JsonLines, _) => {
                let keys: Vec<&String> = entries.iter().map(|(key, _)| key).collect();
                let values: Vec<&str> = entries.iter().map(|(_, value)| &**value).collect();
                let (keys, values) = (json!(keys), values.join(","));
                let request =
                    format!("{{\"command\":\"batch_put\",\"keys\":{keys},\"values\":[{values}]}}\n");
                said(entries, request.into(), DONE.into(), |text| text)
            }
            (Speech::Redis, all) if in_steps || count == 1 => {
                let sets: Vec<u8> = all.iter().flat_map(|(key, value)| redis(&["SET", key, value])).collect();
                let (request, reply) = match count {
                    1 => (sets, "+OK\r\n".into()),
                    _ => (
                        [redis(&["MULTI"]), sets, redis(&["EXEC"])].concat(),
                        format!(
                            "+OK\r\n{}*{count}\r\n{}",
                            "+QUEUED\r\n".repeat(count),
                            "+OK\r\n".repeat(count)
                        ),
                    ),
                };
                said(entries, request, reply.into(), as_string)
            }
            (Speech::Redis, all) => {
                let words = all.iter().flat_map(|(key, value)| [&**key, &**value]);
                let request = redis(&["MSET"].into_iter().chain(words).collect::<Vec<_>>());
                said(entries, request, b"+OK\r\n".into(), as_string)
            }
        }
    }
}

/// What others read who ask for JSON, of a text that came as bytes.
fn as_string(text: String) -> String {
    json!(text).to_string()
}

fn said(
    entries: Vec<(String, String)>,
    request: Vec<u8>,
    reply: Vec<u8>,
    stored: fn(String) -> String,
) -> Said {
    let command = entries.into_iter().map(|(key, value)| (key, Some(stored(value).into()))).collect();
    Said { command, request, reply }
}

fn redis(words: &[&str]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request += &format!("${}\r\n{word}\r\n", word.len());
    }
    request.into()
}
