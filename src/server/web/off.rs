//! A build without HTTP.

use crate::server::Shared;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Nobody calls it: a server of this build has no port for it.
pub(in crate::server) async fn run(
    _port: TcpListener,
    _shared: Arc<Shared>,
    _stopping: watch::Receiver<bool>,
) {
}
