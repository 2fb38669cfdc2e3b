//! The danger: commands that are piped or typed are misunderstood, refused ones pass unnoticed, or a measurement measures
//! nothing.

use crate::program::{Place, Run, Server};
use std::io::{Read, Write};
use std::net::TcpListener;

/// Runs `shell` on a server with these further arguments and this input.
fn shell(place: &Place, server: &Server, args: &[&str], input: &str) -> Run {
    place.run_with_input(&[&["shell", &server.address], args].concat(), input.as_bytes())
}

fn printed(run: &Run) -> &str {
    std::str::from_utf8(&run.stdout).unwrap()
}

#[test]
fn a_pipe_of_commands_is_carried_out_line_by_line() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let input = "SET k \"two\nlines\"\n\nGET k\nHSET h f v\nSS.RANGE - +\n";
    let run = shell(&place, &server, &["--formatted"], input);
    assert_eq!(run.status, 0, "{run:?}");
    let wanted = "OK\n\"two\\nlines\"\n(integer) 1\n1# \"h\" => hash\n2# \"k\" => \"two\\nlines\"\n";
    assert_eq!(printed(&run), wanted);
    let run = shell(&place, &server, &["--json"], "HGETALL h\nGET none\nINCR k\n");
    assert_eq!(run.status, 1);
    let lines: Vec<&str> = printed(&run).lines().collect();
    assert_eq!(lines[..2], ["{\"f\":\"v\"}", "null"]);
    assert!(lines[2].starts_with("{\"error\":{\"code\":\"ERR\""), "{run:?}");
    // Into a pipe values go as they are, and what was refused is told beside them.
    let run = shell(
        &place,
        &server,
        &["-c", "MULTI", "-c", "INCR n", "-c", "NOTHING", "-c", "EXEC", "-c", "GET k"],
        "",
    );
    assert_eq!((run.status, printed(&run)), (1, "OK\nQUEUED\ntwo\nlines\n"), "{run:?}");
    assert!(
        run.stderr.contains("(error) EXECABORT") && run.stderr.contains("2 of 5 commands refused"),
        "{run:?}"
    );
    let run = shell(&place, &server, &[], "GET \"k");
    assert!(run.status == 1 && run.stderr.contains("within a quote"), "{run:?}");
}

#[test]
fn a_database_without_a_server_is_opened_by_the_shell() {
    let place = Place::new();
    place.fails(&["shell", "--data-dir", "data", "-c", "COUNT"], 1, "there is no database in data");
    place.ok(&["put", "a", "1"]);
    let args =
        ["shell", "--data-dir", "data", "-c", "PUT b 2", "-c", "SCAN", "-c", "DELETE a none", "-c", "COUNT"];
    assert_eq!(place.ok(&args), "OK\na\n1\nb\n2\n1\n1\n");
    assert!(place.ok(&["shell", "--data-dir", "data", "-c", "VERIFY"]).contains("no damage"));
    place.fails(&["shell", "--data-dir", "data", "-c", "INCR n"], 1, "there is no command `INCR`");
    place.fails(&["shell", "127.0.0.1:1", "--data-dir", "data"], 1, "give one of them");
}

#[test]
fn who_is_no_server_is_said_so_and_a_lost_connection_is_told() {
    let place = Place::new();
    let mut server = Server::start(&place, &[]);
    let address = server.address.clone();
    server.kill();
    place.fails(&["shell", &address, "-c", "PING"], 1, &format!("could not connect to {address}"));
    // One who greets and goes; the second connection goes no better.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let peer = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut buffer = [0; 1000];
        for reply in ["*0\r\n", "+OK\r\n", ""] {
            let _ = stream.read(&mut buffer).unwrap();
            stream.write_all(reply.as_bytes()).unwrap();
        }
        drop((stream, listener));
    });
    place.fails(&["shell", &address, "-c", "SET k v"], 1, "may have been carried out");
    peer.join().unwrap();
}

#[test]
fn a_measurement_does_what_it_says() {
    let place = Place::new();
    let server = Server::start(&place, &[]);
    let base = [
        "bench",
        "--server",
        &server.address,
        "--requests",
        "500",
        "--connections",
        "4",
        "--keys",
        "50",
        "--json",
    ];
    let out = place
        .ok(&[&base[..], &["--threads", "2", "--pipeline", "3", "--test", "set,get,mget,range"]].concat());
    let reports: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let tests: Vec<&str> = reports.iter().map(|report| report["test"].as_str().unwrap()).collect();
    assert_eq!(tests, ["set", "get", "mget", "range"]);
    for report in &reports {
        assert_eq!(report["requests"].as_u64(), Some(500), "{report}");
        assert_eq!(report["errors"].as_u64(), Some(0), "{report}");
        assert!(report["latency_us"]["p50"].as_f64().unwrap() > 0.0, "{report}");
    }
    // 500 writes to 50 keys leave none out, but for ill luck with a fixed seed.
    assert_eq!(reports[1]["found"].as_f64(), Some(1.0), "{out}");
    let counted = shell(&place, &server, &["-c", "DBSIZE"], "");
    assert_eq!(printed(&counted), "50\n");
    place.fails(&["bench"], 1, "--data-dir");
    let out = place.ok(&["bench", "--data-dir", "new", "--requests", "100", "--durability", "os"]);
    assert_eq!(out.lines().count(), 4, "{out}");
    place.fails(&["bench", "--data-dir", "new"], 1, "new exists");
    place.fails(&["bench", "--test", "set"], 1, "set is no test without --server");
}
