//! INFO: the state of the server, in the words that exporters and people know from Redis.

use super::arguments::is;
use super::{Call, Outcome, Refusal};
use crate::dataset::spaces::DATABASES;
use crate::protocol::Reply;
use crate::server::service::Service;
use crate::server::upkeep::number;
use crate::sync::plain::atomic::Ordering::Relaxed;
use std::fmt::Write;

/// The version of Redis whose commands these are.
pub(super) const REDIS_VERSION: &str = "7.2.0";

type Section = (&'static str, fn(&Service, &mut String) -> std::fmt::Result);

/// The sections in the order in which all are shown.
const SECTIONS: &[Section] = &[
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("CPU", cpu),
    ("Cluster", cluster),
    ("Keyspace", keyspace),
];

/// INFO [section...]
pub(super) fn info(call: &mut Call<'_>) -> Result<Outcome, Refusal> {
    call.elsewhere()?;
    let args = call.args;
    let all = args.len() == 1
        || args.from(1).any(|word| ["all", "default", "everything"].iter().any(|all| is(word, all)));
    let mut text = String::new();
    for (name, section) in SECTIONS {
        if all || args.from(1).any(|word| is(word, name)) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            // Writing to a string does not fail.
            let _ = write!(text, "# {name}\r\n");
            let _ = section(call.service, &mut text);
        }
    }
    Ok(Reply::Verbatim(text).into())
}

macro_rules! lines {
    ($out:expr, $($name:literal: $value:expr,)*) => {{
        $(write!($out, "{}:{}\r\n", $name, $value)?;)*
        Ok(())
    }};
}

fn server(service: &Service, out: &mut String) -> std::fmt::Result {
    let uptime = service.started.elapsed().as_secs();
    lines!(out,
        "redis_version": REDIS_VERSION,
        "siltstone_version": env!("CARGO_PKG_VERSION"),
        "redis_mode": "standalone",
        "arch_bits": usize::BITS,
        "process_id": std::process::id(),
        "tcp_port": service.port(),
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime / 86_400,
        "executable": "siltstone",
    )
}

fn clients(service: &Service, out: &mut String) -> std::fmt::Result {
    lines!(out,
        "connected_clients": service.clients.len(),
        "maxclients": service.config.max_connections,
        "blocked_clients": 0,
    )
}

fn memory(service: &Service, out: &mut String) -> std::fmt::Result {
    // By the names under which the engine tells its memory.
    const USES: [&str; 5] = ["write_buffer_bytes", "cache_bytes", "table_bytes", "log_bytes", "work_bytes"];
    let stats = service.engine_stats();
    let used = USES.iter().map(|part| number(&stats, &["memory", part])).sum();
    lines!(out,
        "used_memory": used,
        "used_memory_human": human(used),
        "maxmemory": 0,
        "maxmemory_policy": "noeviction",
        "memory_budget": number(&stats, &["memory", "budget_bytes"]),
    )
}

fn human(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes}B"),
        1024..1_048_576 => format!("{:.2}K", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.2}M", bytes as f64 / 1_048_576.0),
        _ => format!("{:.2}G", bytes as f64 / 1_073_741_824.0),
    }
}

fn persistence(service: &Service, out: &mut String) -> std::fmt::Result {
    let now = crate::dataset::txn::ms_of_time(service.data.engine().now()) / 1000;
    lines!(out,
        "loading": 0,
        "async_loading": 0,
        "rdb_changes_since_last_save": 0,
        "rdb_bgsave_in_progress": 0,
        "rdb_last_save_time": now,
        "rdb_last_bgsave_status": "ok",
        "aof_enabled": 1,
        "aof_rewrite_in_progress": 0,
        "aof_last_write_status": "ok",
        "table_bytes": number(&service.engine_stats(), &["table_bytes"]),
    )
}

fn stats(service: &Service, out: &mut String) -> std::fmt::Result {
    let metrics = &service.metrics;
    lines!(out,
        "total_connections_received": metrics.connections.load(Relaxed),
        "total_commands_processed": metrics.commands.load(Relaxed),
        "instantaneous_ops_per_sec": service.rate.per_second(),
        "total_net_input_bytes": metrics.bytes_in.load(Relaxed),
        "total_net_output_bytes": metrics.bytes_out.load(Relaxed),
        "rejected_connections": metrics.rejected.load(Relaxed),
        "evicted_keys": 0,
        "keyspace_hits": metrics.hits.load(Relaxed),
        "keyspace_misses": metrics.misses.load(Relaxed),
        "total_error_replies": metrics.errors.load(Relaxed),
    )
}

fn replication(_service: &Service, out: &mut String) -> std::fmt::Result {
    lines!(out,
        "role": "master",
        "connected_slaves": 0,
        "master_repl_offset": 0,
    )
}

/// What the process has used is the operating system's to tell, which nothing here asks.
fn cpu(_service: &Service, _out: &mut String) -> std::fmt::Result {
    Ok(())
}

fn cluster(_service: &Service, out: &mut String) -> std::fmt::Result {
    lines!(out,
        "cluster_enabled": 0,
    )
}

fn keyspace(service: &Service, out: &mut String) -> std::fmt::Result {
    for database in 0..DATABASES {
        let keys = service.count_keys(database);
        if keys > 0 {
            write!(out, "db{database}:keys={keys},expires=0,avg_ttl=0\r\n")?;
        }
    }
    Ok(())
}
