//! The listener itself: clients that are slow on purpose, and TLS.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;

use crate::http::Served;
use crate::wire::{Wire, ask, modern};

#[test]
fn clients_that_never_say_what_they_want_are_put_off() {
    let served = Served::start(&["--sandbox", "--auth-token", "0123456789abcdef"]);
    let mut slow: Vec<Wire> = (0..100).map(|_| Wire::open(served.port)).collect();
    for (at, wire) in slow.iter_mut().enumerate() {
        // some send nothing at all
        if at % 2 == 0 {
            wire.send(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
        }
    }
    assert_eq!(
        ask(served.port, "", "health_check").code,
        401,
        "others are served meanwhile"
    );
    for mut wire in slow {
        let said = wire.ended();
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    }
    // a head without an end is no way round that
    let mut endless = Wire::open(served.port);
    endless.send(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n");
    for line in 0..100_000 {
        endless.send_some(format!("X-{line}: {}\r\n", "x".repeat(100)).as_bytes());
    }
    let said = endless.ended();
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
}

/// An authority, and what it has signed.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for a name and its key.
    fn signs(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(Result::unwrap)
        .collect()
}

/// One request over TLS: the answer, and the server's certificate.
fn over_tls(
    port: u16,
    roots: &str,
    own: Option<&(String, String)>,
    headers: &str,
) -> std::io::Result<(String, CertificateDer<'static>)> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut trusted = RootCertStore::empty();
    for root in certificates(roots) {
        trusted.add(root).unwrap();
    }
    let config = ClientConfig::builder().with_root_certificates(trusted);
    let config = match own {
        None => config.with_no_client_auth(),
        Some((chain, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            config.with_client_auth_cert(certificates(chain), key).unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", port))?);
    let (own_headers, body) = modern("health_check", &json!({}), &json!({}));
    let body = body.to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{own_headers}{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(&mut stream).read_to_string(&mut answer)?;
    let shown = stream.conn.peer_certificates().unwrap()[0].clone();
    Ok((answer, shown))
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn the_listener_speaks_tls_and_takes_over_a_new_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (first, second) = (authority.signs("localhost"), authority.signs("localhost"));
    let cert = write(folder.path(), "cert.pem", &first.0);
    let key = write(folder.path(), "key.pem", &first.1);
    let served = Served::start(&["--sandbox", "--tls-cert", &cert, "--tls-key", &key]);
    let ask = || over_tls(served.port, &authority.pem(), None, "").unwrap();
    let (answer, shown) = ask();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("\"healthy\""),
        "{answer}"
    );
    assert_eq!(shown, certificates(&first.0)[0]);
    // somebody who speaks in the clear gets no answer
    let mut clear = Wire::open(served.port);
    clear.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(!clear.ended().contains("HTTP/1.1 200"));
    // half of the change is no certificate with its key: it goes on with the one before
    write(folder.path(), "cert.pem", &second.0);
    assert_eq!(ask().1, certificates(&first.0)[0]);
    write(folder.path(), "key.pem", &second.1);
    while ask().1 != certificates(&second.0)[0] {
        std::thread::yield_now();
    }
}

#[test]
fn only_clients_of_the_authority_get_through_and_their_headers_count() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, other) = (Authority::new(), Authority::new());
    let (cert, key) = authority.signs("localhost");
    let served = Served::start(&[
        "--sandbox",
        "--tls-cert",
        &write(folder.path(), "cert.pem", &cert),
        "--tls-key",
        &write(folder.path(), "key.pem", &key),
        "--tls-client-ca",
        &write(folder.path(), "ca.pem", &authority.pem()),
        "--trusted-proxy",
        "mtls",
        "--identity",
        "impersonate",
    ]);
    let alice = "X-Forwarded-User: alice\r\n";
    let ask = |own: Option<&(String, String)>| over_tls(served.port, &authority.pem(), own, alice);
    let (answer, _) = ask(Some(&authority.signs("proxy.example"))).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("\"acts_as\":\"alice\""),
        "{answer}"
    );
    for stranger in [None, Some(&other.signs("proxy.example"))] {
        let answer = ask(stranger);
        assert!(
            !answer.as_ref().is_ok_and(|(answer, _)| answer.contains("HTTP/1.1")),
            "{answer:?}"
        );
    }
}
