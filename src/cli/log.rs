//! The log on standard error.
//!
//! (G1) As JSON, every line of standard error is one JSON object, what ends the program and a bug included, from the moment on
//!      that the configuration is known.

use anyhow::Context;
use std::io::IsTerminal;
use std::sync::OnceLock;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// The filter of the running log, to change it.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();
/// Set when the log is JSON.
static JSON: OnceLock<()> = OnceLock::new();

/// Begins to log what `level` lets through: a level or a filter, as in `RUST_LOG`. Once in a process; later calls do nothing.
pub fn start(level: &str, json: bool) {
    let (filter, handle) = reload::Layer::new(filter(level));
    if FILTER.set(handle).is_err() {
        return;
    }
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match json {
        true => lines.json().flatten_event(true).boxed(),
        false => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).init();
    if json {
        let _ = JSON.set(());
        std::panic::set_hook(Box::new(|bug| tracing::error!(%bug, "a bug")));
    }
}

/// Lets through what `level` does from now on.
pub fn change(level: &str) -> anyhow::Result<()> {
    let handle = FILTER.get().context("nothing is logged yet")?;
    Ok(handle.reload(filter(level))?)
}

/// True when standard error is for programs that read JSON.
pub fn is_json() -> bool {
    JSON.get().is_some()
}

/// What makes no sense is skipped: it was checked before, or comes from `RUST_LOG`, which is for many programs.
fn filter(level: &str) -> EnvFilter {
    EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).parse_lossy(level)
}

/// Says what is wrong with a level or filter. A lone word would be read as the name of a module whatever it is, so a typing
/// error would log nothing.
pub fn check_level(text: &str) -> Result<(), String> {
    let wrong = |part: &str| {
        format!("`{part}` is no level: write error, warn, info, debug, trace or off, or target=level")
    };
    // A comma inside of brackets parts fields, not directives; such a filter is left to its own parser.
    if !text.contains(['[', '{']) {
        let is_level = |part: &str| !part.is_empty() && part.parse::<LevelFilter>().is_ok();
        let is_odd = |part: &&str| !part.contains('=') && !is_level(part.trim());
        if let Some(part) = text.split(',').find(is_odd) {
            return Err(wrong(part));
        }
    }
    EnvFilter::builder().parse(text).map(drop).map_err(|error| format!("`{text}` is no filter: {error}"))
}

#[cfg(test)]
mod tests {
    use super::check_level;

    #[test]
    fn levels_and_filters_are_checked() {
        for text in ["error", "INFO", "off", "info,siltstone::server=debug", "siltstone[{key}]=trace"] {
            assert_eq!(check_level(text), Ok(()), "{text}");
        }
        for text in ["", "inof", "info,debg", "siltstone=loud", "a=b=c", "siltstone["] {
            assert!(check_level(text).is_err(), "{text}");
        }
    }
}
