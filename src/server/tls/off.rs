//! A build without TLS: the types are there, and have no values.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What connections are encrypted with. This build has none: it was made without the feature `tls`.
#[derive(Debug, Clone)]
pub enum Tls {}

impl Tls {
    /// Agrees with a client on how to encrypt.
    pub(in crate::server) async fn accept(&self, _stream: TcpStream) -> io::Result<Encrypted> {
        match *self {}
    }
}

/// A connection that is encrypted.
#[derive(Debug)]
pub enum Encrypted {}

impl Encrypted {
    /// What it goes over.
    pub(in crate::server) fn socket(&self) -> &TcpStream {
        match *self {}
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        match *self {}
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}
