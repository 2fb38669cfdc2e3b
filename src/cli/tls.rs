//! The certificates of the server: the files that its configuration names.

use super::config::Config;
use anyhow::{Context, bail};
use siltstone::server::Tls;
use std::path::Path;

/// Where to listen with TLS and with what, if that is wanted.
pub fn read(config: &Config) -> anyhow::Result<Option<(String, Tls)>> {
    let Some(listen) = config.optional("tls.listen", Config::list)? else {
        return Ok(None);
    };
    let listen = listen.first().context("there is no address to listen on with TLS")?.clone();
    let Files { certificate, key, client_ca, names } = Files::read(config)?;
    let tls = Tls::new(&certificate, &key, client_ca.as_deref()).context(names)?;
    Ok(Some((listen, tls)))
}

/// Reads the files again.
pub fn renew(config: &Config, tls: &Tls) -> anyhow::Result<()> {
    let Files { certificate, key, client_ca, names } = Files::read(config)?;
    tls.renew(&certificate, &key, client_ca.as_deref()).context(names)
}

/// What is in the files, and which they are.
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
    names: String,
}

impl Files {
    fn read(config: &Config) -> anyhow::Result<Files> {
        let path = |name: &str| config.optional(name, Config::path);
        let (Some(certificate), Some(key)) = (path("tls.certificate")?, path("tls.key")?) else {
            bail!("tls.listen needs tls.certificate and tls.key, which name files in PEM");
        };
        let client_ca = path("tls.client_ca")?;
        let mut names = format!("with {} and {}", certificate.display(), key.display());
        if let Some(path) = client_ca {
            names += &format!(" and {}", path.display());
        }
        let read = |path: &Path| {
            std::fs::read(path).with_context(|| format!("could not read {} for TLS", path.display()))
        };
        let client_ca = client_ca.map(read).transpose()?;
        Ok(Files { certificate: read(certificate)?, key: read(key)?, client_ca, names })
    }
}
