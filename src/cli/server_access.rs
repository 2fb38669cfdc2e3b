//! Where a server is, and who asks: what the commands that talk to one have in common.
//!
//! A password is never an argument, since everybody on the machine can read those: it comes from a file, from the
//! environment, or from the terminal, where it is not shown.

use super::config::{self, Flags};
use super::open::DataDir;
use super::password;
use anyhow::Context;
use clap::Args;
use siltstone::client::{Client, ClientOptions, Error};
use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// The variable with the password.
const PASSWORD: &str = "SILTSTONE_PASSWORD";

/// Who asks.
#[derive(Debug, Clone, Default, Args)]
pub struct Login {
    /// The user; the server's default one when not given
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A file whose first line is the password; SILTSTONE_PASSWORD when not given, and asked for on a terminal when needed
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The database by its number
    #[arg(long, value_name = "N", default_value_t = 0)]
    database: u32,
}

impl Login {
    /// How to connect.
    pub fn options(&self, name: &str) -> anyhow::Result<ClientOptions> {
        let options = ClientOptions::default().name(name).database(self.database);
        let options = self.user.iter().fold(options, |options, user| options.user(user));
        Ok(self.password()?.into_iter().fold(options, ClientOptions::password))
    }

    /// The database, unless it is the first.
    pub fn database(&self) -> Option<u32> {
        Some(self.database).filter(|number| *number != 0)
    }

    /// The user, if one was named, and the password, if there is one that need not be asked for.
    pub fn credentials(&self) -> anyhow::Result<Option<(Option<String>, String)>> {
        Ok(self.password()?.map(|password| (self.user.clone(), password)))
    }

    fn password(&self) -> anyhow::Result<Option<String>> {
        if let Some(path) = &self.password_file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("could not read the password in {}", path.display()))?;
            return Ok(Some(text.lines().next().unwrap_or_default().to_string()));
        }
        Ok(std::env::var(PASSWORD).ok().filter(|password| !password.is_empty()))
    }

    /// Connects; asks for the password when the server wants one and somebody sits there to give it. The options are
    /// those to connect with again.
    pub fn connect(&self, address: &str, options: &mut ClientOptions) -> anyhow::Result<Client> {
        let first = Client::connect_with(address, options);
        match first {
            Err(error) if error.is_server_code("NOAUTH") && std::io::stdin().is_terminal() => {
                *options = options.clone().password(password::ask()?);
                Ok(Client::connect_with(address, options)?)
            }
            Err(error @ Error::Server { .. }) if error.is_server_code("NOAUTH") => Err(error).context(
                "the server wants a password: give it with --password-file or in SILTSTONE_PASSWORD, and the user with --user",
            ),
            other => Ok(other?),
        }
    }
}

/// The address to ask: the one given, or where the server of this configuration listens.
pub fn address(given: Option<&str>, data_dir: &DataDir) -> anyhow::Result<String> {
    match given {
        Some(address) => Ok(address.to_string()),
        None => {
            let config = config::load(&Flags::default(), data_dir)?;
            let listen = config.list("listen")?.first().context("there is no address to ask")?.clone();
            // Names are left as they are: they may have several addresses.
            Ok(listen.parse::<SocketAddr>().map_or(listen, |address| reachable(address).to_string()))
        }
    }
}

/// All addresses of a name, as they can be reached.
pub fn addresses(address: &str) -> std::io::Result<Vec<SocketAddr>> {
    Ok(address.to_socket_addrs()?.map(reachable).collect())
}

/// One who listens on every address is asked on that of the machine itself.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
