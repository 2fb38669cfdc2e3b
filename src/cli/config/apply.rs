//! Settings to what they set.

use super::Config;
use super::users::users;
use siltstone::{Durability, server};

/// What an acknowledged write survives.
pub fn durability(config: &Config) -> anyhow::Result<Durability> {
    Ok(match config.text("durability")? {
        "interval" => Durability::Interval(config.duration("interval")?),
        "os" => Durability::Os,
        _ => Durability::Sync,
    })
}

/// What the server allows.
pub fn server(config: &Config) -> anyhow::Result<server::Config> {
    let mut allowed = server::Config::default();
    allowed.max_connections = config.number("limits.max_connections")?;
    allowed.max_line_bytes = config.number("limits.max_line_bytes")?;
    allowed.max_range_bytes = config.number("limits.max_range_bytes")?;
    allowed.max_buffered_bytes = config.number("limits.max_buffered_bytes")?;
    allowed.handshake_timeout = config.duration("limits.handshake_timeout")?;
    allowed.idle_timeout = config.duration("limits.idle_timeout")?;
    allowed.drain_timeout = config.duration("limits.drain_timeout")?;
    allowed.users = users(config)?;
    allowed.token_life = config.duration("auth.token_life")?;
    allowed.strict_logins = config.flag("auth.strict")?;
    allowed.allow_remote = config.flag("allow_remote")?;
    allowed.allow_shutdown = config.optional("allow_shutdown", Config::flag)?;
    allowed.debug_commands = config.flag("debug_commands")?;
    allowed.slow_log_limit = config.duration("slow_log.limit")?;
    allowed.slow_log_entries = config.number("slow_log.entries")?;
    Ok(allowed)
}
