//! The signatures of JSON web tokens, by the cryptography that this process has for TLS.

use ::ring::signature::{
    self as ring, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind};
use signature::{Error, Verifier};

/// The algorithms that are accepted: those with a public key. A token names its own, and one that names another is refused.
pub(super) const ACCEPTED: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Only checks: this process signs nothing, and has nobody's private key.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes the process check signatures this way, unless it does already in some other.
pub(super) fn install() {
    if PROVIDER.install_default().is_err() {
        tracing::debug!("signatures of tokens are already checked by another provider");
    }
}

enum How {
    Rsa(&'static RsaParameters),
    Key(&'static dyn VerificationAlgorithm),
}

/// How an algorithm's signatures are checked, if it is accepted. Keys below 2048 bits never are.
fn how(algorithm: Algorithm) -> Option<How> {
    Some(match algorithm {
        Algorithm::RS256 => How::Rsa(&ring::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => How::Rsa(&ring::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => How::Rsa(&ring::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => How::Rsa(&ring::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => How::Rsa(&ring::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => How::Rsa(&ring::RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 => How::Key(&ring::ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => How::Key(&ring::ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => How::Key(&ring::ED25519),
        _ => return None,
    })
}

/// The family of keys that an algorithm has, if it is accepted.
pub(super) fn family(algorithm: Algorithm) -> Option<AlgorithmFamily> {
    ACCEPTED.contains(&algorithm).then(|| algorithm.family())
}

struct Public {
    algorithm: Algorithm,
    how: How,
    key: DecodingKeyKind,
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> jsonwebtoken::errors::Result<Box<dyn JwtVerifier>> {
    let how = how(*algorithm).filter(|_| family(*algorithm) == Some(key.family()));
    Ok(Box::new(Public {
        algorithm: *algorithm,
        how: how.ok_or(ErrorKind::InvalidAlgorithm)?,
        key: key.kind().clone(),
    }))
}

impl Verifier<Vec<u8>> for Public {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Error> {
        let checked = match (&self.how, &self.key) {
            (How::Rsa(parameters), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                // a modulus may be written with zeros before it
                let n: Vec<u8> = n.iter().copied().skip_while(|byte| *byte == 0).collect();
                RsaPublicKeyComponents { n: &n, e }.verify(parameters, message, signature)
            }
            (How::Key(algorithm), DecodingKeyKind::SecretOrDer(key)) => {
                UnparsedPublicKey::new(*algorithm, key).verify(message, signature)
            }
            _ => return Err(Error::new()),
        };
        checked.map_err(|_| Error::new())
    }
}

impl JwtVerifier for Public {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
