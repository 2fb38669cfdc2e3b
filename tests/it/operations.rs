//! The danger: the server runs otherwise than its operator said, or cannot be started, watched and stopped.
//!
//! Every test runs the built program in a folder of its own.

use crate::program::{PATIENCE, Place, Server};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Waits until `done`.
#[track_caller]
fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < PATIENCE, "{what} does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal to a server.
#[track_caller]
fn signal(server: &Server, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &server.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// `siltstone serve` on a free port, with these variables.
fn serve(place: &Place, args: &[&str], variables: &[(&str, &str)]) -> Server {
    let mut command = place.command(&[&["serve", "--listen", "127.0.0.1:0"], args].concat());
    command.envs(variables.iter().copied());
    Server::run(command)
}

fn with_variable(place: &Place, args: &[&str], name: &str, value: &str) -> Output {
    place.command(args).env(name, value).output().unwrap()
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let place = Place::new();
    place.file(
        "s.toml",
        "listen = \"127.0.0.1:7001\"\ninterval = \"2s\"\n[limits]\nmax_connections = 3\nmax_line_bytes = \"1 MiB\"\n",
    );
    let args = ["config", "show", "--listen", "127.0.0.1:7003", "--memory", "32M", "--data-dir", "other"];
    let shown = |name: &str| {
        let mut command = place.command(&args);
        command.env(name, "s.toml").env("SILTSTONE_LISTEN", "127.0.0.1:7002");
        command.env("SILTSTONE_LIMITS_MAX_CONNECTIONS", "4").env("SILTSTONE_MAX_CONNECTION", "5");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let with = shown("SILTSTONE_CONFIG");
    for line in [
        "listen = \"127.0.0.1:7003\"  # flag --listen",
        "data_dir = \"other\"  # flag --data-dir",
        "memory = \"32 MiB\"  # flag --memory",
        "interval = \"2s\"  # s.toml:2",
        "max_connections = 4  # environment SILTSTONE_LIMITS_MAX_CONNECTIONS",
        "max_line_bytes = \"1 MiB\"  # s.toml:5",
        "max_range_bytes = \"64 MiB\"  # default",
    ] {
        assert!(with.lines().any(|shown| shown == line), "{line} is not in\n{with}");
    }
    let without = shown("SILTSTONE_NOTHING");
    assert!(without.contains("interval = \"1s\"  # default\n"), "{without}");
    let by_flag = place.ok(&["config", "show", "--config", "s.toml"]);
    assert!(by_flag.contains("listen = \"127.0.0.1:7001\"  # s.toml:1\n"), "{by_flag}");
    place.fails(&["config", "show", "--config", "missing.toml"], 1, "missing.toml: could not read");
    // What is empty counts as missing, and what is nearly a setting is warned of.
    let output = with_variable(&place, &["config", "show"], "SILTSTONE_LISTEN", "");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let output = with_variable(&place, &["config", "show"], "SILTSTONE_LITSEN", "x");
    assert!(String::from_utf8(output.stderr).unwrap().contains("did you mean SILTSTONE_LISTEN?"));
}

#[test]
fn a_wrong_configuration_is_told_whole_and_nothing_begins() {
    let place = Place::new();
    place.file("bad.toml", "memory = \"64 MB\"\n[limits]\nmax_conections = 5\nidle_timeout = 10\n");
    for args in [&["config", "check", "bad.toml"][..], &["serve", "--config", "bad.toml"]] {
        place.fails(args, 1, "bad.toml:1: `memory`: `64 MB` is no size");
        place.fails(
            args,
            1,
            "bad.toml:3: there is no setting `limits.max_conections`: did you mean `limits.max_connections`?",
        );
        place.fails(
            args,
            1,
            "bad.toml:4: `limits.idle_timeout`: this is a number, and a duration from 1ms to 24h is needed",
        );
    }
    let output = with_variable(&place, &["serve"], "SILTSTONE_DURABILITY", "never");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "error: SILTSTONE_DURABILITY: `never` is not one of sync, interval, os\n");
    place.fails(&["serve", "--listen", "localhost"], 1, "--listen: `localhost` is no address");
    assert!(!place.path().join("data").exists());
    place.file("good.toml", place.ok(&["config", "sample"]));
    assert_eq!(place.ok(&["config", "check", "good.toml"]), "");
}

#[test]
fn the_file_and_the_environment_reach_the_server() {
    let place = Place::new();
    place.file("s.toml", "data_dir = \"elsewhere\"\n[limits]\nmax_connections = 1\n");
    let mut server = serve(&place, &["--config", "s.toml"], &[("SILTSTONE_LIMITS_MAX_LINE_BYTES", "1KiB")]);
    assert!(place.path().join("elsewhere").is_dir());
    assert!(!place.path().join("data").exists());
    let mut first = TcpStream::connect(&server.address).unwrap();
    first.write_all(b"{\"command\":\"ping\"}\n").unwrap();
    let mut reply = String::new();
    BufReader::new(first.try_clone().unwrap()).read_line(&mut reply).unwrap();
    assert!(reply.contains("pong"), "{reply}");
    place.fails(&["ping", &server.address], 1, "too many connections");
    let long = [&b"{\"command\":\"ping\",\"x\":\""[..], &[b'x'; 2000], b"\"}\n"].concat();
    first.write_all(&long).unwrap();
    reply.clear();
    BufReader::new(first).read_line(&mut reply).unwrap();
    assert!(reply.contains("1024"), "{reply}");
    server.kill();
}

#[test]
fn ping_tells_by_its_status_whether_a_server_answers() {
    let place = Place::new();
    let mut server = Server::start(&place, &[]);
    assert_eq!(place.ok(&["ping", &server.address]), "");
    // Where it listens on every address, it is asked on that of the machine.
    let port = server.address.rsplit_once(':').unwrap().1;
    let output = with_variable(&place, &["ping"], "SILTSTONE_LISTEN", &format!("0.0.0.0:{port}"));
    assert!(output.status.success(), "{output:?}");
    let address = server.address.clone();
    server.kill();
    place.fails(&["ping", &address], 1, &format!("no answer from {address}"));
    // Somebody else is there, who says nothing that we understand.
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap().to_string();
    let answer = std::thread::spawn(move || stranger.accept().unwrap().0.write_all(b"220 hello\r\n"));
    place.fails(&["ping", &address], 1, "no answer from");
    answer.join().unwrap().unwrap();
}

#[test]
fn completions_and_manual_pages_know_all_commands() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = place.ok(&["completions", shell]);
        assert!(text.contains("checkpoint") && text.contains("allow-remote"), "{shell}: {text}");
    }
    place.fails(&["completions", "abacus"], 2, "abacus");
    let page = place.ok(&["man"]);
    assert!(page.contains(".TH siltstone 1") && page.contains("checkpoint"), "{page}");
    let page = place.ok(&["man", "serve"]);
    assert!(page.contains("siltstone\\-serve") && page.contains("allow\\-remote"), "{page}");
    assert!(place.ok(&["man", "config", "show"]).contains("siltstone\\-config\\-show"));
    place.fails(&["man", "frobnicate"], 1, "there is no command `frobnicate`");
}

#[cfg(unix)]
#[test]
fn a_log_in_json_is_one_object_a_line() {
    let place = Place::new();
    place.file("s.toml", "[log]\nformat = \"json\"\nlevel = \"info\"\n");
    let mut server = serve(&place, &["--config", "s.toml"], &[]);
    let said = server.stop();
    let lines: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line.is_object() && line["level"] == "INFO"), "{said}");
    assert!(lines.iter().any(|line| line["message"] == "serving" && line["address"].is_string()), "{said}");
    // RUST_LOG wins, and what ends the program is an object, too.
    let mut server = serve(&place, &["--config", "s.toml"], &[("RUST_LOG", "error")]);
    let again = place.run(&["serve", "--config", "s.toml"]);
    assert_eq!(again.status, 1);
    let error: serde_json::Value = serde_json::from_str(again.stderr.trim()).unwrap();
    assert_eq!(error["level"], "ERROR");
    assert!(error["message"].as_str().unwrap().contains("in use by another process"), "{error}");
    assert_eq!(server.stop(), "");
}

#[cfg(unix)]
#[test]
fn the_service_manager_is_told_of_the_beginning_and_the_end() {
    let place = Place::new();
    let path = place.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = || {
        let mut bytes = [0; 1000];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let mut server = serve(&place, &[], &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    let ready = heard();
    assert!(ready.lines().any(|line| line == "READY=1"), "{ready}");
    assert!(ready.contains(&server.address), "{ready}");
    assert_eq!(server.stop(), "");
    let stopping = heard();
    assert!(stopping.lines().any(|line| line == "STOPPING=1"), "{stopping}");
}

/// A client that asks for much and reads nothing holds up a shutdown that would wait for it for an hour.
#[cfg(unix)]
#[test]
fn a_second_signal_stops_at_once_and_what_was_acknowledged_stays() {
    let place = Place::new();
    for (name, status) in [("TERM", 143), ("INT", 130)] {
        let mut server = serve(&place, &[], &[("SILTSTONE_LIMITS_DRAIN_TIMEOUT", "1h")]);
        let mut client = TcpStream::connect(&server.address).unwrap();
        let value = "x".repeat(8 << 20);
        client
            .write_all(
                format!("{{\"command\":\"put\",\"key\":\"{name}\",\"value\":\"{value}\"}}\n").as_bytes(),
            )
            .unwrap();
        let mut reply = String::new();
        BufReader::new(client.try_clone().unwrap()).read_line(&mut reply).unwrap();
        assert!(reply.contains("\"ok\""), "{reply}");
        let read = format!("{{\"command\":\"read\",\"key\":\"{name}\"}}\n");
        client.write_all(read.repeat(4).as_bytes()).unwrap();
        // It is being answered when the answer begins to arrive.
        assert_eq!(client.peek(&mut [0]).unwrap(), 1);
        signal(&server, name);
        wait_until("the end of listening", || TcpStream::connect(&server.address).is_err());
        signal(&server, name);
        let (ended, said) = server.wait();
        assert_eq!(ended.code(), Some(status), "{said}");
        assert!(said.contains("a second time"), "{said}");
        drop(client);
        assert_eq!(place.ok(&["get", name]).len(), value.len());
    }
}

#[cfg(unix)]
#[test]
fn a_hangup_reads_the_configuration_again() {
    let place = Place::new();
    place.file("s.toml", "[log]\nlevel = \"warn\"\n");
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0", "--config", "s.toml"]);
    // The harness hears what is said only at the end; this has to be heard before.
    let log = place.path().join("log");
    let wrapped = format!("exec \"$@\" 2>>'{}'", log.display());
    let mut shell = Command::new("sh");
    shell
        .current_dir(place.path())
        .args(["-c", &wrapped, "sh"])
        .arg(command.get_program())
        .args(command.get_args());
    command = shell;
    let mut server = Server::run(command);
    let says = |what: &str| read(&log).contains(what);

    place.file("s.toml", "durability = \"os\"\n[log]\nlevel = \"info\"\n");
    signal(&server, "HUP");
    wait_until("the new level", || says("read the configuration again"));
    assert!(says("durability has changed, which counts from the next start on"), "{}", read(&log));
    place.file("s.toml", "[log]\nlevel = \"inof\"\n");
    signal(&server, "HUP");
    wait_until("the refusal", || says("the configuration stays as it was: s.toml:2: `log.level`"));
    server.stop();
    assert!(says("stopping"), "{}", read(&log));
}

#[cfg(unix)]
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
