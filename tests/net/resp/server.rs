//! Commands for those who look after the server.

use super::Talker;
use crate::harness::serve;
use siltstone::server::Config;
use siltstone::store::MemoryEngine;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn what_tools_ask_for() {
    let mut config = Config::default();
    config.slow_log_limit = Duration::ZERO;
    let server = serve(Arc::new(MemoryEngine::new()), config);
    let mut client = Talker::to(server.addr);
    client.talk(
        "
        CONFIG GET appendonly save -> *4|$10|appendonly|$3|yes|$4|save|$0|
        CONFIG GET none* -> *0
        CONFIG SET slowlog-max-len 3 -> +OK
        CONFIG GET slowlog-max-len -> *2|$15|slowlog-max-len|$1|3
        CONFIG SET slowlog-max-len x -> -ERR CONFIG SET failed (possibly related to argument 'slowlog-max-len') - argument couldn't be parsed into an integer
        CONFIG SET maxclients 5 -> -ERR CONFIG SET failed (possibly related to argument 'maxclients') - can't set immutable config
        CONFIG SET nothing 5 -> -ERR Unknown option or number of arguments for CONFIG SET - 'nothing'
        CONFIG RESETSTAT -> +OK
        COMMAND COUNT -> :102
        COMMAND INFO get none -> *2|*10|$3|get|:2|*2|+readonly|+fast|:1|:1|:1|*2|+@read|+@fast|*0|*0|*0|*-1
        COMMAND GETKEYS MSET a 1 b 2 -> *2|$1|a|$1|b
        COMMAND GETKEYS PING -> -ERR The command has no key arguments
        COMMAND LIST FILTERBY PATTERN ss.r* -> *1|$8|ss.range
        SAVE -> +OK
        BGSAVE -> +Background saving started
        ROLE -> *3|$6|master|:0|*0
        MODULE LIST -> *0
        CLUSTER SLOTS -> -ERR This instance has cluster support disabled
        LATENCY LATEST -> *0
        ACL WHOAMI -> $7|default
        DEBUG SLEEP 0 -> -ERR DEBUG command not allowed. Set debug_commands in the configuration of the server.
        SLOWLOG LEN -> :3
        SLOWLOG RESET -> +OK
        SET k v -> +OK
        MEMORY USAGE k -> :34
        MEMORY USAGE none -> $-1
        OBJECT WRONG k -> -ERR unknown subcommand 'WRONG'. Try OBJECT HELP.
        ",
    );
    assert!(client.ask("SLOWLOG GET 1").starts_with("*1|*6|:"));
    assert!(client.ask("TIME").starts_with("*2|$10|"));
    assert!(client.ask("COMMAND").starts_with("*102|*10|"));
    assert!(client.ask("COMMAND DOCS get").starts_with("*2|$3|get|"));
    let info = client.ask("INFO");
    for line in [
        "redis_version:7",
        "redis_mode:standalone",
        "role:master",
        "loading:0",
        "cluster_enabled:0",
        "db0:keys=1",
    ] {
        assert!(info.contains(&format!("|{line}")), "{line} is not in {info}");
    }
    client.check("MULTI", "+OK");
    client.check("GET k", "+QUEUED");
    let mut other = Talker::to(server.addr);
    let list = other.ask("CLIENT LIST");
    assert!(list.contains("multi=1") && list.contains("cmd=multi"), "{list}");
    client.check("DISCARD", "+OK");
    let part = client.ask("INFO keyspace");
    assert!(part.contains("# Keyspace|db0:keys=1") && !part.contains("# Server"));
}

#[test]
fn a_client_of_this_machine_may_stop_the_server() {
    let mut server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let (mut client, mut other) = (Talker::to(server.addr), Talker::to(server.addr));
    other.check("SET k v", "+OK");
    client.say("SHUTDOWN");
    assert_eq!(client.rest(), "");
    assert_eq!(other.rest(), "");
    server.join();
}

#[test]
fn who_must_not_stop_the_server_cannot() {
    let mut config = Config::default();
    config.allow_shutdown = Some(false);
    let server = serve(Arc::new(MemoryEngine::new()), config);
    let mut client = Talker::to(server.addr);
    client.check("SHUTDOWN", "-NOPERM SHUTDOWN is disabled on this server");
    client.check("SHUTDOWN ABORT", "-ERR No shutdown in progress.");
    client.check("PING", "+PONG");
}

#[test]
fn a_pause_holds_back_what_it_is_for() {
    let server = serve(Arc::new(MemoryEngine::new()), Config::default());
    let (mut client, mut other) = (Talker::to(server.addr), Talker::to(server.addr));
    client.check("CLIENT PAUSE 60000 WRITE", "+OK");
    other.check("GET k", "$-1");
    other.say("SET k v");
    client.check("GET k", "$-1");
    client.check("CLIENT UNPAUSE", "+OK");
    client.check("CLIENT PAUSE x", "-ERR timeout is not an integer or out of range");
}
