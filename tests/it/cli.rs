//! The danger: the command line says that all went well and it did not, or the other way round.
//!
//! Every test runs the built program in a folder of its own.

use crate::program::{Place, Server};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

const COMMANDS: [&str; 18] = [
    "serve",
    "get",
    "put",
    "delete",
    "scan",
    "load",
    "dump",
    "stats",
    "verify",
    "repair",
    "checkpoint",
    "compact",
    "inspect",
    "config",
    "ping",
    "user",
    "completions",
    "man",
];

#[test]
fn every_command_has_help_with_examples() {
    let place = Place::new();
    let overview = place.ok(&["--help"]);
    for command in COMMANDS {
        assert!(overview.contains(&format!("\n  {command} ")), "{command} is not in\n{overview}");
        let help = place.ok(&[command, "--help"]);
        assert!(help.contains("Examples:"), "{command}: {help}");
        assert_eq!(place.ok(&["help", command]), help);
    }
    let version = place.ok(&["--version"]);
    assert!(version.starts_with(&format!("siltstone {}", env!("CARGO_PKG_VERSION"))), "{version}");
    assert_eq!(version.lines().count(), 1);
    place.fails(&["frobnicate"], 2, "frobnicate");
    place.fails(&["get"], 2, "<KEY>");
    place.fails(&["get", r"\q"], 2, r"\xNN");
}

#[test]
fn put_get_delete() {
    let place = Place::new();
    assert_eq!(place.ok(&["put", "greeting", "hello, world"]), "");
    assert_eq!(place.ok(&["get", "greeting"]), "hello, world");
    assert_eq!(place.ok(&["--data-dir", "data", "get", "greeting"]), "hello, world");
    place.ok(&["put", "greeting", "-5"]);
    assert_eq!(place.ok(&["get", "greeting", "--data-dir", "data"]), "-5");
    place.ok(&["put", r"bin\x00\xff\\", ""]);
    assert_eq!(place.ok(&["scan", "--keys-only"]), "bin\\x00\\xff\\\\\ngreeting\n");
    place.ok(&["delete", "greeting"]);
    place.ok(&["delete", "greeting"]);
    place.fails(&["get", "greeting"], 1, "there is no key `greeting`");
    assert_eq!(place.ok(&["get", r"bin\x00\xff\x5c"]), "");
}

#[test]
fn nothing_that_only_reads_makes_a_database() {
    let place = Place::new();
    for args in
        [&["get", "k"][..], &["delete", "k"], &["scan"], &["dump"], &["stats"], &["verify"], &["compact"]]
    {
        place.fails(args, 1, "there is no database in ./data");
        assert!(!place.path().join("data").exists(), "{args:?}");
    }
    place.fails(&["load", "missing.csv"], 1, "missing.csv");
    assert!(!place.path().join("data").exists());
    // A folder of something else is left as it is.
    std::fs::create_dir(place.path().join("photos")).unwrap();
    place.file("photos/holiday.jpg", "x");
    for args in [&["get", "k"][..], &["put", "k", "v"], &["verify"]] {
        place.fails(&[args, &["--data-dir", "photos"]].concat(), 1, "photos");
    }
    let left: Vec<_> = std::fs::read_dir(place.path().join("photos")).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[test]
fn an_error_is_told_once_and_without_debug() {
    let place = Place::new();
    let run = place.run(&["load", "missing.csv"]);
    assert!(run.stderr.starts_with("error: could not open missing.csv: "), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    assert_eq!(run.stderr.matches("os error").count(), 1, "{run:?}");
}

#[test]
fn scan_goes_both_ways_between_bounds() {
    let place = Place::new();
    place.file("e.csv", "key,value\na,1\nb:1,2\nb:2,\"x\ty\"\nc,4\n");
    place.ok(&["load", "e.csv"]);
    assert_eq!(place.ok(&["scan"]), "a\t1\nb:1\t2\nb:2\tx\\x09y\nc\t4\n");
    assert_eq!(place.ok(&["scan", "--prefix", "b:", "--reverse", "--keys-only"]), "b:2\nb:1\n");
    assert_eq!(place.ok(&["scan", "--from", "b", "--to", "b:2", "--keys-only"]), "b:1\nb:2\n");
    assert_eq!(place.ok(&["scan", "--to", "b", "--keys-only"]), "a\n");
    assert_eq!(place.ok(&["scan", "--reverse", "--limit", "1"]), "c\t4\n");
    assert_eq!(place.ok(&["scan", "--limit", "0"]), "");
    assert_eq!(place.ok(&["scan", "--from", "z", "--to", "a"]), "");
    assert_eq!(
        place.ok(&["scan", "--limit", "1", "--format", "ndjson"]),
        "{\"key\":\"a\",\"value\":\"1\"}\n"
    );
    place.fails(&["scan", "--prefix", "b", "--from", "a"], 2, "cannot be used with");
}

#[test]
fn a_dump_loads_back_byte_for_byte() {
    let place = Place::new();
    let lines = [
        r#"{"key":"","value":""}"#,
        r#"{"key":"doc","value":{"b":1.0,"a":[null,"å"]}}"#,
        r#"{"key":"number","value":123456789012345678901234567890}"#,
        r#"{"key":"text","value":"line\nline\t\"quoted\""}"#,
        r#"{"key":"ø","value":"12"}"#,
        r#"{"key_base64":"/wA=","value_base64":"/wBC"}"#,
        r#"{"key_base64":"//8=","stored_base64":"/9j/4A=="}"#,
    ];
    place.file("in.ndjson", lines.join("\n"));
    place.ok(&["load", "in.ndjson"]);
    assert_eq!(place.ok(&["get", "doc"]), r#"{"b":1.0,"a":[null,"å"]}"#);
    assert_eq!(place.run(&["get", r"\xff\x00"]).stdout, b"\xff\0B");
    for format in ["ndjson", "csv", "tsv"] {
        let dump = place.ok(&["dump", "--format", format]);
        let copy = format!("copy-{format}");
        let load =
            place.run_with_input(&["load", "-", "--format", format, "--data-dir", &copy], dump.as_bytes());
        assert_eq!((load.status, load.stdout.len()), (0, 0), "{load:?}");
        assert!(load.stderr.contains("loaded 7 entries"), "{load:?}");
        let again = place.ok(&["dump", "--data-dir", &copy]);
        assert_eq!(again.lines().collect::<Vec<_>>(), lines, "{format}");
    }
}

#[test]
fn documents_are_loaded_under_keys_of_their_own_members() {
    let place = Place::new();
    place.file("u.ndjson", "{\"id\":7,\"country\":\"no\"}\n{\"id\":8,\"country\":\"se\"}\n");
    place.ok(&["load", "u.ndjson", "--key", "country", "--key", "id"]);
    place.file("u.tsv", "id\tname\n1\tAda\n2\tGrace, \"G\"\n");
    place.ok(&["load", "u.tsv", "--key", "id"]);
    let expected = "1\t{\"id\":\"1\",\"name\":\"Ada\"}\n2\t{\"id\":\"2\",\"name\":\"Grace, \\\"G\\\"\"}\n\
                    no:7\t{\"id\":7,\"country\":\"no\"}\nse:8\t{\"id\":8,\"country\":\"se\"}\n";
    assert_eq!(place.ok(&["scan"]), expected);
    place.fails(&["load", "u.tsv", "--key", "uid"], 1, "there is no column `uid`; the columns are: id, name");
    place.fails(&["load", "u.tsv"], 1, "say with --key which column is the key");
    place.fails(&["load", "u.tsv", "--separator", "/"], 2, "--key");
}

#[test]
fn refused_lines_are_counted_and_told_and_the_rest_is_loaded() {
    let place = Place::new();
    let bad = "{\"key\":\"k\"}\n".repeat(9);
    place.file(
        "in.ndjson",
        format!("{{\"key\":\"a\",\"value\":1}}\n\nnonsense\n{bad}{{\"key\":\"b\",\"value\":2}}\n"),
    );
    let run = place.run(&["load", "in.ndjson"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.stderr.contains("in.ndjson:3: refused: no JSON object"), "{run:?}");
    assert!(run.stderr.contains("in.ndjson:4: refused: no member `value`"), "{run:?}");
    assert!(!run.stderr.contains("in.ndjson:9:"), "{run:?}");
    assert!(run.stderr.contains("loaded 2 entries"), "{run:?}");
    assert!(run.stderr.contains("10 lines were refused"), "{run:?}");
    assert_eq!(place.ok(&["scan"]), "a\t1\nb\t2\n");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    let lines: String =
        (0..20_000).map(|i| format!("{{\"key\":\"{i:08}\",\"value\":\"some text\"}}\n")).collect();
    place.file("many.ndjson", lines);
    place.ok(&["load", "many.ndjson"]);
    for args in [&["dump"][..], &["dump", "--format", "csv"], &["scan"]] {
        let mut child = place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        // Dropping the reader closes the pipe long before the output ends.
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{args:?}");
    }
}

#[test]
fn stats_verify_compact_and_inspect_work_on_a_small_database() {
    let place = Place::new();
    place.ok(&["put", "k", "v"]);
    place.ok(&["compact"]);
    assert!(!place.ok(&["stats"]).is_empty());
    assert!(place.ok(&["stats", "--json"]).starts_with('{'));
    assert_eq!(
        place
            .ok(&["stats", "data", "--json", "--memory", "32M"])
            .matches("\"budget_bytes\": 33554432")
            .count(),
        1
    );
    assert!(place.ok(&["stats", "--prometheus"]).contains("\nsiltstone_level_tables{level=\""));
    place.fails(&["stats", "--json", "--prometheus"], 2, "--prometheus");
    place.fails(&["stats", "nowhere"], 1, "there is no database in nowhere");
    place.fails(&["stats", "--memory", "1K"], 1, "memory_budget must be at least");
    place.fails(&["stats", "--memory", "much"], 2, "256M");
    assert!(!place.ok(&["verify"]).is_empty());
    let here = place.ok(&["inspect", "data/CURRENT"]);
    assert_eq!(place.ok(&["inspect", "CURRENT"]), here);
    place.fails(&["inspect", "data/nothing"], 1, "data/nothing");
    assert_eq!(place.ok(&["get", "k"]), "v");
}

#[test]
fn a_database_that_does_not_open_is_verified_and_repaired() {
    let place = Place::new();
    place.file("e.csv", "key,value\na,1\nb,2\nc,3\n");
    place.ok(&["load", "e.csv"]);
    assert!(place.ok(&["verify"]).contains("no damage"));
    assert!(place.ok(&["verify", "data", "--json"]).contains("\"problems\": []"));
    // A byte in the list of tables, and one in the only block of the only table.
    let damage = |file: &str, at: usize| {
        let path = place.path().join("data").join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[at] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    damage("000001.manifest", 40);
    place.fails(&["get", "a"], 1, "siltstone verify");
    let run = place.run(&["verify"]);
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(run.status == 1 && said.contains("000001.manifest at offset 32, manifest record"), "{said}");
    assert!(run.stderr.contains("siltstone repair ./data --into"), "{}", run.stderr);

    let said = place.ok(&["repair", "--into", "new"]);
    assert!(said.contains("nothing is lost"), "{said}");
    assert_eq!(place.ok(&["scan", "--data-dir", "new"]), "a\t1\nb\t2\nc\t3\n");
    place.fails(&["repair", "--into", "new"], 1, "new is not empty");
    place.fails(&["repair", "--into", "data/new"], 1, "lies in");
    place.fails(&["repair", "nowhere", "--into", "other"], 1, "there is no database in nowhere");
    assert!(!place.path().join("other").exists());

    damage("000001.table", 40);
    let run = place.run(&["repair", "data", "--into", "rest", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    let keys = &report["lost"][0]["keys"];
    assert_eq!(
        (run.status, keys["from"]["key"].as_str(), keys["to"]["key"].as_str()),
        (1, Some("a"), Some("c"))
    );
    assert_eq!(place.ok(&["scan", "--data-dir", "rest"]), "");
}

#[test]
fn a_checkpoint_is_a_database_of_its_own() {
    let place = Place::new();
    place.ok(&["put", "a", "1"]);
    let run = place.run(&["checkpoint", "data", "copy"]);
    assert_eq!((run.status, run.stdout.len()), (0, 0), "{run:?}");
    assert!(run.stderr.contains("copy: 1 tables with") && run.stderr.contains("shared"), "{}", run.stderr);
    place.ok(&["put", "a", "2"]);
    assert_eq!(place.ok(&["get", "a", "--data-dir", "copy"]), "1");
    assert_eq!(place.ok(&["get", "a"]), "2");
    place.ok(&["verify", "copy"]);
    place.fails(&["checkpoint", "data", "copy"], 1, "copy is not empty");
    place.fails(&["checkpoint", "data", "data/copy"], 1, "lies in");
    place.fails(&["checkpoint", "nowhere", "other"], 1, "there is no database in nowhere");
    assert!(!place.path().join("other").exists());
}

#[test]
fn serve_prints_where_it_listens_and_keeps_what_it_was_given() {
    let place = Place::new();
    let mut server = Server::start(&place, &[]);
    assert!(server.hint.contains("{\"command\":\"put\""), "{}", server.hint);

    let mut client = TcpStream::connect(&server.address).unwrap();
    client.write_all(b"{\"command\":\"put\",\"key\":\"k\",\"value\":[1]}\n").unwrap();
    let mut reply = String::new();
    BufReader::new(client.try_clone().unwrap()).read_line(&mut reply).unwrap();
    assert!(reply.contains("\"ok\""), "{reply}");
    place.fails(&["get", "k"], 1, "in use by another process");

    server.kill();
    assert_eq!(place.ok(&["get", "k"]), "[1]");
    place.fails(&["serve", "--listen", "0.0.0.0:0"], 1, "authentication");
}

#[cfg(unix)]
#[test]
fn serve_stops_cleanly_and_its_hint_works() {
    let place = Place::new();
    let mut server = Server::start(&place, &[]);
    let reply = Command::new("sh").arg("-c").arg(&server.hint).output().unwrap();
    assert!(String::from_utf8(reply.stdout).unwrap().contains("\"ok\""), "{}", server.hint);
    assert_eq!(server.stop(), "");
    assert_eq!(place.ok(&["get", "hello"]), "world");
}
