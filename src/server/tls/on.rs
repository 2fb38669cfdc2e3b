//! TLS 1.2 and 1.3, by rustls: certificates in, encrypted connections out.
//!
//! (L1) New certificates count for connections that come from then on; those that are there go on as they are. Wrong ones
//!      change nothing.
//! (L2) No file is read here: whoever starts the server reads them.

use crate::sync::ArcSwap;
use crate::{Error, Result};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::fmt::{self, Display};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What connections are encrypted with: a certificate with its key, and who may have signed those of clients. Clones are the
/// same, so that who keeps one can [`Tls::renew`] it.
#[derive(Clone)]
pub struct Tls(Arc<ArcSwap<ServerConfig>>);

impl Tls {
    /// Reads PEM: the server's certificate with those between it and a known one, its key, and, when clients have to show
    /// certificates as well, those that must have signed them.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] that says which of them is wrong and why.
    pub fn new(certificate: &[u8], key: &[u8], client_ca: Option<&[u8]>) -> Result<Tls> {
        let config = config(certificate, key, client_ca)?;
        Ok(Tls(Arc::new(ArcSwap::from_pointee(config))))
    }

    /// Takes others from now on (L1).
    ///
    /// # Errors
    /// As [`Tls::new`]; nothing has changed then.
    pub fn renew(&self, certificate: &[u8], key: &[u8], client_ca: Option<&[u8]>) -> Result<()> {
        self.0.store(Arc::new(config(certificate, key, client_ca)?));
        Ok(())
    }

    /// Agrees with a client on how to encrypt.
    pub(in crate::server) async fn accept(&self, stream: TcpStream) -> io::Result<Encrypted> {
        let config = Arc::clone(&self.0.load());
        Ok(Encrypted(TlsAcceptor::from(config).accept(stream).await?))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

fn config(certificate: &[u8], key: &[u8], client_ca: Option<&[u8]>) -> Result<ServerConfig> {
    let chain = certificates(certificate).map_err(|why| wrong("the certificate", why))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|why| wrong("the key", why))?;
    let provider = Arc::new(default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|why| wrong("the versions", why))?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(signers) => {
            let bad = |why: &dyn Display| wrong("the certificate for those of clients", why);
            let mut roots = RootCertStore::empty();
            for signer in certificates(signers).map_err(|why| bad(&why))? {
                roots.add(signer).map_err(|why| bad(&why))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|why| bad(&why))?)
        }
    };
    builder.with_single_cert(chain, key).map_err(|why| wrong("the certificate with its key", why))
}

/// All certificates of a text in PEM; at least one.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|why| why.to_string())?;
    if found.is_empty() { Err("there is none in it".into()) } else { Ok(found) }
}

fn wrong(what: &str, why: impl Display) -> Error {
    Error::invalid(format!("{what} cannot be used for TLS: {why}"))
}

/// A connection that is encrypted.
#[derive(Debug)]
pub struct Encrypted(TlsStream<TcpStream>);

impl Encrypted {
    /// What it goes over.
    pub(in crate::server) fn socket(&self) -> &TcpStream {
        self.0.get_ref().0
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
