//! Requests about documents to a server: JSON lines, on a connection of their own.
//!
//! (J1) A request is sent once. When the connection breaks before it is answered, that is told, and the next one makes a new one.
//! (J2) Between two requests nothing is open that is waited for: a connection that the server has closed meanwhile is made anew before
//!      the next one is sent.

use super::documents::{self, Request};
use crate::cli::server_access::{self, Login};
use anyhow::{Context, bail};
use siltstone::client;
use siltstone::document::value::Value;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpStream;

/// Where the server is, and the connection to it, if there is one.
pub struct Lines {
    address: String,
    login: Login,
    stream: Option<BufReader<TcpStream>>,
}

impl Lines {
    /// None is connected yet.
    pub fn new(address: &str, login: &Login) -> Lines {
        Lines { address: address.into(), login: login.clone(), stream: None }
    }

    /// Asks the server, and gives what it says.
    pub fn ask(&mut self, request: &Request) -> anyhow::Result<client::Value> {
        let mut stream = match self.stream.take().filter(is_open) {
            Some(stream) => stream,
            None => self.connect()?,
        };
        let reply = exchange(&mut stream, &request.line())
            .context("the connection was lost: nobody knows whether the command was carried out")?;
        let read = read(&reply)?;
        self.stream = Some(stream);
        Ok(read)
    }

    fn connect(&self) -> anyhow::Result<BufReader<TcpStream>> {
        let what = || format!("could not connect to {} for documents", self.address);
        let addresses = server_access::addresses(&self.address).with_context(what)?;
        let stream = TcpStream::connect(&addresses[..]).with_context(what)?;
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        if let Some((user, password)) = self.login.credentials()? {
            let user = user.map(|user| ("user".to_string(), Value::from(user)));
            let members = [("command", Value::from("auth")), ("password", Value::from(password))];
            let members = members.map(|(name, value)| (name.to_string(), value)).into_iter().chain(user);
            let reply = exchange(&mut stream, &Value::Object(members.collect()).to_string())?;
            if let client::Value::Error { message, .. } = read(&reply)? {
                bail!("the server does not let us in: {message}");
            }
        }
        Ok(stream)
    }
}

/// Whether the server has neither closed it nor said something that nobody asked for.
fn is_open(stream: &BufReader<TcpStream>) -> bool {
    let socket = stream.get_ref();
    let peek = || {
        socket.set_nonblocking(true)?;
        let peeked = socket.peek(&mut [0]);
        socket.set_nonblocking(false)?;
        peeked
    };
    stream.buffer().is_empty() && matches!(peek(), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

fn exchange(stream: &mut BufReader<TcpStream>, line: &str) -> std::io::Result<String> {
    stream.get_mut().write_all(format!("{line}\n").as_bytes())?;
    let mut reply = String::new();
    stream.read_line(&mut reply)?;
    if reply.ends_with('\n') { Ok(reply) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

/// What a line of a server says.
fn read(line: &str) -> anyhow::Result<client::Value> {
    let reply = serde_json::from_str::<serde_json::Value>(line);
    let Ok(serde_json::Value::Object(mut members)) = reply else {
        bail!("the server does not speak JSON lines, which documents need: is it siltstone?");
    };
    match members.remove("result") {
        Some(result) if members.get("status").is_some_and(|status| status == "ok") => {
            Ok(documents::shown(&Value::from(result)))
        }
        _ => {
            let text = |name: &str| members.get(name).and_then(|text| text.as_str()).map(str::to_string);
            let message = text("message").unwrap_or_else(|| line.trim().to_string());
            let more = members.get("ref_data").filter(|more| !more.is_null()).map(|more| format!(" {more}"));
            let code = text("code").unwrap_or_else(|| "ERR".into());
            Ok(documents::error(&code, message + &more.unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says() {
        assert_eq!(read(r#"{"status":"ok","result":{"count":3}}"#).unwrap(), client::Value::Int(3));
        assert_eq!(read(r#"{"status":"ok","result":{}}"#).unwrap(), client::Value::Text("OK".into()));
        assert_eq!(
            read(r#"{"status":"error","message":"no","code":"BUSY","ref_data":{"table":"t"}}"#).unwrap(),
            documents::error("BUSY", r#"no {"table":"t"}"#.into())
        );
        assert_eq!(
            read(r#"{"status":"error","message":"no"}"#).unwrap(),
            documents::error("ERR", "no".into())
        );
        assert!(read("-ERR unknown command").unwrap_err().to_string().contains("JSON lines"));
    }
}
