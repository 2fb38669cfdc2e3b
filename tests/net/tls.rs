//! Connections that are encrypted.

use crate::auth::guarded;
use crate::resp::array;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use siltstone::server::{Config, Protocol, Server, Tls};
use siltstone::store::MemoryEngine;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Signs certificates.
struct Signer(CertifiedIssuer<'static, KeyPair>);

impl Signer {
    fn new() -> Signer {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Signer(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for this machine and its key, in PEM.
    fn sign(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_string()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }
}

type Client = StreamOwned<ClientConnection, TcpStream>;

/// A client that trusts the signer, and shows a certificate if it has one.
fn connect(addr: SocketAddr, trusted: &Signer, own: Option<&(String, String)>) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            builder
                .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
                .unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream)
}

#[track_caller]
fn check(client: &mut Client, command: &[&[u8]], reply: &[u8]) {
    client.write_all(&array(command)).unwrap();
    let mut heard = vec![0; reply.len()];
    client.read_exact(&mut heard).unwrap();
    assert_eq!(String::from_utf8_lossy(&heard), String::from_utf8_lossy(reply));
}

/// A server with a plain port and one with TLS.
fn serve(config: Config, tls: Tls, talk: impl FnOnce(SocketAddr, SocketAddr) + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut server = Server::bind("127.0.0.1:0", Arc::new(MemoryEngine::new()), config).await.unwrap();
        let (plain, addr) =
            (server.local_addr(), server.listen_tls("127.0.0.1:0", Protocol::Auto, tls).await.unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let client = std::thread::spawn(move || {
            let _stop = stop;
            talk(plain, addr);
        });
        server.run(async { drop(stopped.await) }).await;
        client.join().unwrap();
    });
}

fn tls(signer: &Signer, client_ca: Option<&Signer>) -> Tls {
    let (certificate, key) = signer.sign();
    let client_ca = client_ca.map(Signer::pem);
    Tls::new(certificate.as_bytes(), key.as_bytes(), client_ca.as_ref().map(|pem| pem.as_bytes())).unwrap()
}

#[test]
fn what_is_said_is_encrypted_and_the_same() {
    let signer = Signer::new();
    serve(guarded(), tls(&signer, None), move |plain, addr| {
        let mut client = connect(addr, &signer, None);
        check(&mut client, &[b"GET", b"k"], b"-NOAUTH Authentication required.\r\n");
        check(&mut client, &[b"AUTH", b"anna", b"hunter2"], b"+OK\r\n");
        // More than a record of TLS, and than a buffer of the socket, both ways.
        let long = vec![b'x'; 3 << 20];
        check(&mut client, &[b"SET", b"long", &long], b"+OK\r\n");
        let reply = [format!("${}\r\n", long.len()).as_bytes(), &long, b"\r\n"].concat();
        check(&mut client, &[b"GET", b"long"], &reply);
        // Many in one write.
        let pipeline: Vec<u8> = (0..1000).flat_map(|_| array(&[b"PING"])).collect();
        client.write_all(&pipeline).unwrap();
        let mut heard = vec![0; 7 * 1000];
        client.read_exact(&mut heard).unwrap();
        assert_eq!(heard, b"+PONG\r\n".repeat(1000));
        // The end is told, so nobody can cut off replies unnoticed.
        client.write_all(&array(&[b"QUIT"])).unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"+OK\r\n");
        let mut client = crate::resp::Talker::to(plain);
        client.check("AUTH anna hunter2", "+OK");
        client.check("STRLEN long", &format!(":{}", 3 << 20));
    });
}

#[test]
fn who_speaks_no_tls_harms_nobody() {
    let signer = Signer::new();
    let mut config = Config::default();
    config.handshake_timeout = Duration::from_millis(300);
    serve(config, tls(&signer, None), move |plain, addr| {
        let mut good = connect(addr, &signer, None);
        check(&mut good, &[b"SET", b"k", b"v"], b"+OK\r\n");
        let mut silent = TcpStream::connect(addr).unwrap();
        for bytes in [&b"*1\r\n$4\r\nPING\r\n"[..], b"\x16\x03\x01\xff\xff\x01", b"", &[0x16; 70_000]] {
            let mut bad = TcpStream::connect(addr).unwrap();
            let _ = bad.write_all(bytes);
            check(&mut good, &[b"GET", b"k"], b"$1\r\nv\r\n");
            // It ends soon, with a word of TLS or without.
            let _ = bad.read_to_end(&mut Vec::new());
        }
        // One that trusts another signer.
        let other = Signer::new();
        let mut distrustful = connect(addr, &other, None);
        assert!(distrustful.write_all(b"PING\r\n").is_err() || distrustful.read(&mut [0]).is_err());
        // A handshake takes no longer than it may.
        assert_eq!(silent.read(&mut [0]).unwrap(), 0);
        check(&mut good, &[b"GET", b"k"], b"$1\r\nv\r\n");
        // TLS where there is none is told so.
        let mut plain = TcpStream::connect(plain).unwrap();
        plain.write_all(b"\x16\x03\x01\x00\x05hello").unwrap();
        let mut told = String::new();
        plain.read_to_string(&mut told).unwrap();
        assert!(told.contains("TLS"), "{told}");
    });
}

#[test]
fn clients_show_certificates_where_they_have_to() {
    let (signer, of_clients) = (Signer::new(), Signer::new());
    serve(Config::default(), tls(&signer, Some(&of_clients)), move |_, addr| {
        let own = of_clients.sign();
        check(&mut connect(addr, &signer, Some(&own)), &[b"PING"], b"+PONG\r\n");
        for own in [None, Some(Signer::new().sign())] {
            let mut stranger = connect(addr, &signer, own.as_ref());
            let _ = stranger.write_all(&array(&[b"PING"]));
            let mut heard = Vec::new();
            let read = stranger.read_to_end(&mut heard);
            assert!(read.is_err() && heard.is_empty(), "{heard:?}");
        }
    });
}

#[test]
fn certificates_are_renewed_under_way() {
    let (old, new) = (Signer::new(), Signer::new());
    let own = tls(&old, None);
    let renewed = own.clone();
    serve(Config::default(), own, move |_, addr| {
        let mut before = connect(addr, &old, None);
        check(&mut before, &[b"PING"], b"+PONG\r\n");
        assert!(renewed.renew(b"nonsense", b"", None).is_err());
        check(&mut connect(addr, &old, None), &[b"PING"], b"+PONG\r\n");
        let (certificate, key) = new.sign();
        renewed.renew(certificate.as_bytes(), key.as_bytes(), None).unwrap();
        check(&mut connect(addr, &new, None), &[b"PING"], b"+PONG\r\n");
        check(&mut before, &[b"PING"], b"+PONG\r\n");
        let mut stale = connect(addr, &old, None);
        assert!(stale.write_all(b"PING\r\n").is_err() || stale.read(&mut [0]).is_err());
    });
}

#[test]
fn what_is_wrong_with_certificates_is_told() {
    let signer = Signer::new();
    let (certificate, key) = signer.sign();
    let (other, _) = signer.sign();
    let told = |certificate: &str, key: &str, ca: Option<&str>| {
        Tls::new(certificate.as_bytes(), key.as_bytes(), ca.map(str::as_bytes)).unwrap_err().to_string()
    };
    assert!(told("", &key, None).contains("the certificate cannot be used"));
    assert!(told(&key, &key, None).contains("the certificate cannot be used"));
    assert!(told(&certificate, &certificate, None).contains("the key cannot be used"));
    assert!(told(&other, &key, None).contains("the certificate with its key"));
    assert!(told(&certificate, &key, Some("")).contains("those of clients"));
    assert!(!told(&certificate, &certificate, None).contains("BEGIN"));
}
