//! An issuer of tokens: its keys, and the server that shows them.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use serde_json::{Value, json};

/// What its tokens say that it is called.
pub(crate) const NAME: &str = "https://issuer.example";
/// Whom its tokens are for.
pub(crate) const AUDIENCE: &str = "https://mcp.example/mcp";

pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key of one of the kinds that issuers have.
pub(crate) enum Key {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl Key {
    pub(crate) fn ed() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    pub(crate) fn ec() -> Self {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self::Ec(EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap())
    }

    /// The library that checks signatures makes no such keys: this one is from a file, and good for these tests only.
    pub(crate) fn rsa() -> Self {
        let file = include_bytes!("../fixtures/issuer-rsa.pk8");
        Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(file).unwrap()))
    }

    /// Its public half, as issuers show it.
    pub(crate) fn public(&self, id: &str) -> Value {
        match self {
            Self::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": encoded(pair.public_key())}),
            Self::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "x": encoded(&point[1..33]), "y": encoded(&point[33..])})
            }
            Self::Rsa(pair) => {
                let public = pair.public();
                let parts = ring::signature::RsaPublicKeyComponents::<Vec<u8>>::from(public);
                json!({"kty": "RSA", "kid": id, "n": encoded(parts.n), "e": encoded(parts.e)})
            }
        }
    }

    /// A token with these claims, signed in the way that its header says.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Ed(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
            Self::Ec(pair) => pair.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let way: &dyn ring::signature::RsaEncoding = if header["alg"] == "PS256" {
                    &RSA_PSS_SHA256
                } else {
                    &RSA_PKCS1_SHA256
                };
                pair.sign(way, &random, message.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{message}.{}", encoded(signature))
    }
}

/// The seconds of now, and some more.
#[expect(
    clippy::disallowed_methods,
    reason = "tokens end by the time of the world, which the server reads too"
)]
pub(crate) fn from_now(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + seconds
}

/// Claims of a good token of somebody, with others beside them or in their place.
pub(crate) fn claims(user: &str, more: &Value) -> Value {
    let mut claims = json!({"iss": NAME, "aud": AUDIENCE, "sub": user, "exp": from_now(600), "iat": from_now(0)});
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

/// A server that answers every request with the same document, which can be replaced.
pub(crate) struct Shown {
    pub(crate) port: u16,
    says: Arc<Mutex<(u16, String)>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Shown {
    pub(crate) fn start(body: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shown = Self {
            port: listener.local_addr().unwrap().port(),
            says: Arc::new(Mutex::new((200, body.to_string()))),
            asked: Arc::default(),
        };
        let (says, asked) = (Arc::clone(&shown.says), Arc::clone(&shown.asked));
        // it ends with the process of the tests
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let mut stream = BufReader::new(stream);
                let mut first = String::new();
                stream.read_line(&mut first).ok();
                let mut line = String::from("-");
                while !line.trim().is_empty() {
                    line.clear();
                    stream.read_line(&mut line).ok();
                }
                asked.lock().unwrap().push(first.trim().to_owned());
                let (code, body) = says.lock().unwrap().clone();
                let answer = format!(
                    "HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.get_mut().write_all(answer.as_bytes()).ok();
            }
        });
        shown
    }

    /// Answers so from now on.
    pub(crate) fn says(&self, code: u16, body: &Value) {
        *self.says.lock().unwrap() = (code, body.to_string());
    }

    /// The first lines of the requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}
