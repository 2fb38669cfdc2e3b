//! What systemd is told, where it started the process and wants to know (`Type=notify`).
//!
//! That it cannot be told is no reason to stop: it is logged, and systemd has time limits of its own.

#[cfg(unix)]
use sd_notify::NotifyState;

/// Clients can connect.
pub fn ready(address: &str) {
    #[cfg(unix)]
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("listening on {address}"))]);
    #[cfg(not(unix))]
    let _ = address;
}

/// The end has begun.
pub fn stopping() {
    #[cfg(unix)]
    tell(&[NotifyState::Stopping, NotifyState::Status("answering what has arrived")]);
}

#[cfg(unix)]
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "could not tell the service manager how it stands");
    }
}
