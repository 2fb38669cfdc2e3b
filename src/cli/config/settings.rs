//! The one table of all settings of the server.
//!
//! From it come the reader of the file, the reader of the environment, `siltstone config sample`, `show` and `check`, and the
//! reference in `docs/operations.md`. To add a setting:
//!
//! 1. Add it to [`SETTINGS`], in its section: `section.name`, or a plain name before the first section. A section need not be
//!    declared.
//! 2. Read it where it is applied: `config.number("section.name")?` in `config/apply.rs` or beside what it sets.
//! 3. Run `SILTSTONE_MAKE_DOCS=1 cargo test --features cli --bin siltstone config`, which writes `docs/siltstone.toml` and the
//!    reference anew, and commit both.
//!
//! A flag of `serve` for it, if it has to have one, is a line in `config/flags.rs`.

use super::kind::Kind;
use crate::cli::log;
use std::time::Duration;

/// A setting.
#[derive(Debug)]
pub struct Setting {
    /// As it stands in the file, with its section: `limits.max_connections`.
    pub name: &'static str,
    pub kind: Kind,
    pub preset: Preset,
    pub when: When,
    /// One sentence.
    pub doc: &'static str,
}

/// What a setting is when nobody gives it.
#[derive(Debug, Clone, Copy)]
pub enum Preset {
    /// This, written as in the environment.
    Is(&'static str),
    /// Nothing; what happens then, and a value to show.
    Unset { instead: &'static str, example: &'static str },
}

/// When a new value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At the next start.
    Start,
    /// When the process is told to read its configuration again (SIGHUP), or at the next start.
    Reload,
}

impl Setting {
    /// Its environment variable.
    pub fn variable(&self) -> String {
        format!("SILTSTONE_{}", self.name.replace('.', "_").to_uppercase())
    }

    /// Its section, or nothing, and its name there.
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.name.rsplit_once('.').unwrap_or(("", self.name))
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const MOST_TOKEN_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);
const MILLISECOND: Duration = Duration::from_millis(1);
/// Room for the longest line there may be, a gibibyte, and what carrying it out takes.
const MOST_BUFFERED: u64 = 1 << 40;

/// All settings, by section. The order is that of the sample.
pub static SETTINGS: &[Setting] = &[
    Setting {
        name: "data_dir",
        kind: Kind::Path,
        preset: Preset::Is("./data"),
        when: When::Start,
        doc: "The folder of the database, which is made if it is not there.",
    },
    Setting {
        name: "memory",
        // The engine asks for a mebibyte and 64 blocks.
        kind: Kind::Size { least: 1280 << 10, most: 1 << 40 },
        preset: Preset::Unset { instead: "a quarter of what there is, up to 448 MiB", example: "256 MiB" },
        when: When::Start,
        doc: "How much memory the database may take; what clients take comes on top.",
    },
    Setting {
        name: "durability",
        kind: Kind::Choice(&["sync", "interval", "os"]),
        preset: Preset::Is("sync"),
        when: When::Start,
        doc: "What an acknowledged write survives: a power cut (sync), a power cut but for the last `interval` (interval), or only \
              the end of the process (os).",
    },
    Setting {
        name: "interval",
        kind: Kind::Duration { least: MILLISECOND, most: Duration::from_secs(3600) },
        preset: Preset::Is("1s"),
        when: When::Start,
        doc: "How much time a power cut may cost when durability is interval.",
    },
    Setting {
        name: "listen",
        kind: Kind::List { most: 1, check: address },
        preset: Preset::Is("127.0.0.1:9999"),
        when: When::Start,
        doc: "Where to listen, as host:port; port 0 takes a free one.",
    },
    Setting {
        name: "listen_text",
        kind: Kind::List { most: 1, check: address },
        preset: Preset::Unset { instead: "nowhere", example: "127.0.0.1:5000" },
        when: When::Start,
        doc: "Where to listen besides for nothing but lines of words, whose clients wait to be greeted (customary: 5000).",
    },
    Setting {
        name: "listen_json",
        kind: Kind::List { most: 1, check: address },
        preset: Preset::Unset { instead: "nowhere", example: "127.0.0.1:9998" },
        when: When::Start,
        doc: "Where to listen besides for nothing but JSON lines.",
    },
    Setting {
        name: "listen_framed",
        kind: Kind::List { most: 1, check: address },
        preset: Preset::Unset { instead: "nowhere", example: "127.0.0.1:9000" },
        when: When::Start,
        doc: "Where to listen besides for nothing but framed JSON.",
    },
    Setting {
        name: "listen_resp",
        kind: Kind::List { most: 1, check: address },
        preset: Preset::Unset { instead: "nowhere", example: "127.0.0.1:6379" },
        when: When::Start,
        doc: "Where to listen besides for nothing but the protocol of Redis.",
    },
    Setting {
        name: "allow_shutdown",
        kind: Kind::Flag,
        preset: Preset::Unset { instead: "yes while only this machine can connect", example: "false" },
        when: When::Start,
        doc: "Whether clients may stop the server.",
    },
    Setting {
        name: "debug_commands",
        kind: Kind::Flag,
        preset: Preset::Is("false"),
        when: When::Start,
        doc: "Whether there are commands for tests only, such as DEBUG SLEEP.",
    },
    Setting {
        name: "allow_remote",
        kind: Kind::Flag,
        preset: Preset::Is("false"),
        when: When::Start,
        doc: "Listen also where other machines can connect although there are no users, so that whoever can connect can change \
              everything; with users it is not needed.",
    },
    Setting {
        name: "auth.password",
        kind: Kind::Secret,
        preset: Preset::Unset { instead: "the user default has none", example: "correct horse battery" },
        when: When::Start,
        doc: "The password of the user default, who need not be named at a login.",
    },
    Setting {
        name: "auth.users_file",
        kind: Kind::Path,
        preset: Preset::Unset { instead: "there are no more users", example: "/etc/siltstone/users" },
        when: When::Start,
        doc: "A file with a line for each user of the server, as `siltstone user hash NAME` prints; with users, nobody else may do \
              anything.",
    },
    Setting {
        name: "auth.token_life",
        kind: Kind::Duration { least: Duration::from_secs(1), most: MOST_TOKEN_LIFE },
        preset: Preset::Is("24h"),
        when: When::Start,
        doc: "How long after a login to a database its token is good, however much it is used.",
    },
    Setting {
        name: "auth.strict",
        kind: Kind::Flag,
        preset: Preset::Is("false"),
        when: When::Start,
        doc: "Tell who logs in to a database that is not there what is told for a wrong password, not that there is none.",
    },
    Setting {
        name: "tls.listen",
        kind: Kind::List { most: 1, check: address },
        preset: Preset::Unset { instead: "there is no TLS", example: "0.0.0.0:9443" },
        when: When::Start,
        doc: "Where to listen for connections that are encrypted, as host:port.",
    },
    Setting {
        name: "tls.certificate",
        kind: Kind::Path,
        preset: Preset::Unset { instead: "there can be no TLS", example: "/etc/siltstone/server.crt" },
        when: When::Reload,
        doc: "The file of the server's certificate in PEM, with those between it and one that clients know.",
    },
    Setting {
        name: "tls.key",
        kind: Kind::Path,
        preset: Preset::Unset { instead: "there can be no TLS", example: "/etc/siltstone/server.key" },
        when: When::Reload,
        doc: "The file of the key of that certificate, in PEM.",
    },
    Setting {
        name: "tls.client_ca",
        kind: Kind::Path,
        preset: Preset::Unset {
            instead: "clients need no certificate",
            example: "/etc/siltstone/clients.crt",
        },
        when: When::Reload,
        doc: "A file of certificates in PEM; clients must then show one that was signed with one of these, or cannot connect with \
              TLS.",
    },
    Setting {
        name: "metrics.listen",
        kind: Kind::List { most: 1, check: address },
        preset: Preset::Unset { instead: "there are no metrics over HTTP", example: "127.0.0.1:9100" },
        when: When::Start,
        doc: "Where to answer /metrics, /livez and /readyz over HTTP; whoever can connect there can read them.",
    },
    Setting {
        name: "slow_log.limit",
        kind: Kind::Duration { least: Duration::ZERO, most: Duration::from_secs(3600) },
        preset: Preset::Is("10ms"),
        when: When::Start,
        doc: "What takes longer is noted in the slow log, which SLOWLOG GET shows.",
    },
    Setting {
        name: "slow_log.entries",
        kind: Kind::Count { least: 0, most: 100_000 },
        preset: Preset::Is("128"),
        when: When::Start,
        doc: "How many commands the slow log keeps.",
    },
    Setting {
        name: "limits.max_connections",
        kind: Kind::Count { least: 1, most: 1_000_000 },
        preset: Preset::Is("1024"),
        when: When::Start,
        doc: "The most clients at a time; more are told so and closed.",
    },
    Setting {
        name: "limits.max_line_bytes",
        kind: Kind::Size { least: 1 << 10, most: 1 << 30 },
        preset: Preset::Is("64 MiB"),
        when: When::Start,
        doc: "The longest request line.",
    },
    Setting {
        name: "limits.max_range_bytes",
        kind: Kind::Size { least: 1 << 10, most: 1 << 30 },
        preset: Preset::Is("64 MiB"),
        when: When::Start,
        doc: "The most that one range may gather.",
    },
    Setting {
        name: "limits.max_buffered_bytes",
        kind: Kind::Size { least: 1 << 20, most: MOST_BUFFERED },
        preset: Preset::Is("512 MiB"),
        when: When::Start,
        doc: "The most memory that requests and replies of all clients together may take, beyond some 256 KiB for each client; a \
              line may need eight times its length.",
    },
    Setting {
        name: "limits.handshake_timeout",
        kind: Kind::Duration { least: MILLISECOND, most: DAY },
        preset: Preset::Is("1min"),
        when: When::Start,
        doc: "How long a new client may take to complete its first request.",
    },
    Setting {
        name: "limits.idle_timeout",
        kind: Kind::Duration { least: MILLISECOND, most: DAY },
        preset: Preset::Is("10min"),
        when: When::Start,
        doc: "How long a client may take from one request to the next, or to read its replies.",
    },
    Setting {
        name: "limits.drain_timeout",
        kind: Kind::Duration { least: Duration::ZERO, most: DAY },
        preset: Preset::Is("10s"),
        when: When::Start,
        doc: "How long a shutdown waits for what is being answered.",
    },
    Setting {
        name: "log.level",
        kind: Kind::Text(log::check_level),
        preset: Preset::Is("warn"),
        when: When::Reload,
        doc: "What is logged: error, warn, info, debug, trace or off, or a filter such as \"info,siltstone::server=debug\"; the \
              variable RUST_LOG wins.",
    },
    Setting {
        name: "log.format",
        kind: Kind::Choice(&["text", "json"]),
        preset: Preset::Is("text"),
        when: When::Start,
        doc: "How the log is written to standard error: text, or one JSON object a line.",
    },
];

/// A host, or an address of the internet protocol with brackets around its colons, and a port.
fn address(text: &str) -> Result<(), String> {
    let parts = text.rsplit_once(':');
    let parts = parts.filter(|(host, _)| !host.is_empty() && (host.ends_with(']') || !host.contains(':')));
    match parts.is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        true => Ok(()),
        false => {
            Err(format!("`{text}` is no address: write host:port, such as 127.0.0.1:9999 or [::1]:9999"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_is_consistent() {
        let mut names = BTreeSet::from(["SILTSTONE_CONFIG".to_string()]);
        let mut sections = Vec::new();
        for setting in SETTINGS {
            assert!(names.insert(setting.variable()), "{} is there twice", setting.name);
            assert!(names.insert(setting.variable() + "_FILE"), "{} is there twice", setting.name);
            let (section, name) = setting.parts();
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()),
                "{name}"
            );
            if sections.last() != Some(&section) {
                assert!(!sections.contains(&section), "the section {section} is there twice");
                sections.push(section);
            }
            let is_section = |other: &Setting| other.parts().0 == setting.name;
            assert!(!SETTINGS.iter().any(is_section), "{} is a section, too", setting.name);
            let (Preset::Is(text) | Preset::Unset { example: text, .. }) = setting.preset;
            setting.kind.read_text(text).unwrap();
            assert!(setting.doc.ends_with('.') && !setting.doc.contains(['|', '\n']), "{}", setting.doc);
        }
        assert_eq!(sections.first(), Some(&""), "what has no section comes first");
    }

    #[test]
    fn addresses_have_ports() {
        for text in ["127.0.0.1:9999", "localhost:0", "[::1]:65535", "0.0.0.0:1"] {
            assert_eq!(address(text), Ok(()));
        }
        for text in ["", "localhost", ":9999", "::1:9999", "localhost:65536", "localhost:", "h:http"] {
            assert!(address(text).unwrap_err().contains("host:port"), "{text}");
        }
    }
}
