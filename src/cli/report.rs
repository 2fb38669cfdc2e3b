//! What is told on stderr when something goes wrong.

use super::log;
use std::error::Error;
use std::io;

/// Tells a failure with its causes.
pub fn error(error: &anyhow::Error) {
    let text = explain(error.chain());
    match log::is_json() {
        true => tracing::error!("{text}"),
        false => eprintln!("error: {text}"),
    }
}

/// The causes in one line, each once: an error of ours tells its cause in its own text already.
fn explain<'a>(chain: impl Iterator<Item = &'a (dyn Error + 'static)>) -> String {
    let mut out = String::new();
    for cause in chain {
        let text = cause.to_string();
        if out.contains(&text) {
            continue;
        }
        if !out.is_empty() {
            out.push_str(": ");
        }
        out.push_str(&text);
    }
    out
}

/// True when whoever read our output has enough of it. Nothing but standard output is a pipe here.
pub fn reader_went_away(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_cause_is_told_once() {
        let inner = io::Error::other("disk on fire");
        let told_within =
            anyhow::Error::new(inner).context("could not sync f: disk on fire").context("loading");
        assert_eq!(explain(told_within.chain()), "loading: could not sync f: disk on fire");
        let plain = Err::<(), _>(io::Error::other("disk on fire")).context("could not read f").unwrap_err();
        assert_eq!(explain(plain.chain()), "could not read f: disk on fire");
    }

    #[test]
    fn a_closed_pipe_is_known_below_any_context() {
        let broken = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(reader_went_away(&anyhow::Error::new(broken).context("printing")));
        assert!(!reader_went_away(&anyhow::Error::new(io::Error::other("no"))));
    }
}
