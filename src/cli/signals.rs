//! Signals of a server.
//!
//! (S1) The first Ctrl-C or SIGTERM asks for the end: what has arrived is answered.
//! (S2) The second ends the process at once, with the status by which a shell tells of the signal, 130 or 143. Every
//!      acknowledged write is where its durability says: the next open reads it from the log, as after a crash.
//! (S3) SIGHUP calls for the configuration again.
//!
//! They are looked for as long as the runtime lasts, the closing of the database included.

use super::notify;

/// The status of a shell for an end by SIGINT.
const INTERRUPTED: i32 = 130;

/// Resolves at the first Ctrl-C or SIGTERM (S1). From now on neither ends the process by itself.
#[cfg(unix)]
pub fn stop() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    /// The status of a shell for an end by SIGTERM.
    const TERMINATED: i32 = 143;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        let mut next = async move || {
            tokio::select! {
                _ = interrupt.recv() => INTERRUPTED,
                _ = terminate.recv() => TERMINATED,
            }
        };
        next().await;
        notify::stopping();
        tokio::spawn(async move { at_once(next().await) });
    })
}

#[cfg(not(unix))]
pub fn stop() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        drop(tokio::signal::ctrl_c().await);
        notify::stopping();
        tokio::spawn(async {
            drop(tokio::signal::ctrl_c().await);
            at_once(INTERRUPTED);
        });
    })
}

/// Ends the process (S2).
fn at_once(status: i32) {
    tracing::warn!(status, "told to stop a second time: what was not answered is left so");
    std::process::exit(status);
}

/// Does `work` at every SIGHUP (S3), on the runtime it is called on.
#[cfg(unix)]
pub fn on_reload(work: impl Fn() + Send + 'static) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            work();
        }
    });
    Ok(())
}

#[cfg(not(unix))]
pub fn on_reload(_work: impl Fn() + Send + 'static) -> std::io::Result<()> {
    Ok(())
}
