//! Tests of the configuration as a whole.

use super::kind::Kind;
use super::testing::{WITH_SECRET, vars};
use super::*;
use siltstone::Durability;

/// What a file and an environment make.
fn config(text: &str, variables: &[(&str, &str)]) -> Result<Config, Problems> {
    let file = file::parse(Path::new("s.toml"), text, SETTINGS);
    Config::new(SETTINGS, [file, environment::read(&vars(variables), SETTINGS)])
}

#[test]
fn the_defaults_are_those_of_the_library() {
    let config = config("", &[]).unwrap();
    let own = apply::server(&config).unwrap();
    assert_eq!(format!("{own:?}"), format!("{:?}", siltstone::server::Config::default()));
    assert_eq!(apply::durability(&config).unwrap(), Durability::Sync);
    assert_eq!(config.list("listen").unwrap(), ["127.0.0.1:9999"]);
    assert_eq!(config.path("data_dir").unwrap(), Path::new("./data"));
    assert_eq!(config.optional("memory", Config::number).unwrap(), None);
    assert_eq!(config.text("log.level").unwrap(), "warn");
    assert_eq!(config.text("log.format").unwrap(), "text");
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = "durability = \"interval\"\ninterval = \"5s\"\n[limits]\nmax_connections = 5\n";
    let both = config(text, &[("SILTSTONE_LIMITS_MAX_CONNECTIONS", "6")]).unwrap();
    assert_eq!(both.number("limits.max_connections").unwrap(), 6);
    assert_eq!(apply::durability(&both).unwrap(), Durability::Interval(Duration::from_secs(5)));
    let shown = sample::show(&both);
    assert!(
        shown.contains("max_connections = 6  # environment SILTSTONE_LIMITS_MAX_CONNECTIONS\n"),
        "{shown}"
    );
    assert!(shown.contains("interval = \"5s\"  # s.toml:2\n"), "{shown}");
    assert!(shown.contains("data_dir = \"./data\"  # default\n"), "{shown}");
    // What is shown is a configuration file, and says the same.
    let again = config(&shown, &[]).unwrap();
    assert_eq!(both.changed(&again).count(), 0, "{shown}");
    let other = config("[log]\nlevel = \"info\"\n", &[]).unwrap();
    let names: Vec<_> = other.changed(&config("", &[]).unwrap()).map(|setting| setting.name).collect();
    assert_eq!(names, ["log.level"]);
}

#[test]
fn all_sources_are_wrong_at_once() {
    let error = config("memry = 1\n", &[("SILTSTONE_INTERVAL", "soon")]).unwrap_err().to_string();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 3, "{error}");
    assert!(lines[1].starts_with("  s.toml:1: there is no setting `memry`"), "{error}");
    assert!(lines[2].starts_with("  SILTSTONE_INTERVAL: `soon` is no duration"), "{error}");
}

#[test]
fn a_secret_is_read_and_never_shown() {
    let layer = environment::read(&vars(&[("SILTSTONE_DOOR_PASSWORD", "hunter2")]), WITH_SECRET);
    let config = Config::new(WITH_SECRET, [layer]).unwrap();
    assert_eq!(config.secret("door.password").unwrap().reveal(), "hunter2");
    let shown = format!("{}{config:?}", sample::show(&config));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(
        shown.contains("# password is given and not shown  # environment SILTSTONE_DOOR_PASSWORD\n"),
        "{shown}"
    );
    let unset = sample::show(&Config::new(WITH_SECRET, []).unwrap());
    assert!(unset.contains("# password is not given: nobody comes in\n"), "{unset}");
    assert!(sample::sample(WITH_SECRET).contains("#password_file = "));
}

#[test]
fn the_sample_says_the_defaults() {
    let sample = sample::sample(SETTINGS);
    let parsed = config(&sample, &[]).unwrap();
    assert_eq!(parsed.changed(&config("", &[]).unwrap()).count(), 0);
    assert!(parsed.entries.iter().all(|entry| entry.origin == Origin::Default));
    // And so with every line of it counting; only what has no default is then something.
    let lines =
        sample.lines().map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line));
    // A secret is given by a file, which has to be there.
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hunter2").unwrap();
    let text = lines.collect::<Vec<_>>().join("\n").replace("\"path\"", &format!("{secret:?}"));
    let parsed = config(&text, &[]).unwrap();
    let changed: Vec<_> = parsed.changed(&config("", &[]).unwrap()).map(|setting| setting.name).collect();
    assert_eq!(
        changed,
        [
            "memory",
            "listen_text",
            "listen_json",
            "listen_framed",
            "listen_resp",
            "allow_shutdown",
            "auth.password",
            "auth.users_file",
            "tls.listen",
            "tls.certificate",
            "tls.key",
            "tls.client_ca",
            "metrics.listen"
        ]
    );
    assert!(parsed.entries.iter().all(|entry| entry.origin != Origin::Default), "{sample}");
    for setting in SETTINGS.iter().filter(|setting| !matches!(setting.kind, Kind::Secret)) {
        assert!(sample.contains(&format!("#{} = ", setting.parts().1)), "{}", setting.name);
    }
}

/// The committed sample and reference are those of the table. `SILTSTONE_MAKE_DOCS=1` makes them anew.
#[test]
fn the_documents_are_those_of_the_table() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let page = docs.join("operations.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (begin, end) = ("<!-- settings: made by a test -->\n", "<!-- settings: end -->\n");
    let (before, rest) = text.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let made = [
        (docs.join("siltstone.toml"), sample::sample(SETTINGS)),
        (page, [before, begin, &sample::reference(SETTINGS), end, after].concat()),
    ];
    for (path, expected) in made {
        if std::env::var_os("SILTSTONE_MAKE_DOCS").is_some() {
            std::fs::write(&path, &expected).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == expected, "{} is not that of the table: see config/settings.rs", path.display());
    }
}
