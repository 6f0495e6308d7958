//! TLS to a server, with ring and the machine's own root certificates. Reads certificate files.
//!
//! Invariant: `verify-full` trusts nothing but what the machine or the given file trusts, for exactly that host.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::errors::refused;
use super::settings::{Target, Tls};
use crate::world::WorldError;

/// What makes the protected line to a target.
///
/// # Errors
/// When there are no certificates to trust.
pub async fn connector(target: &Target) -> Result<MakeRustlsConnect, WorldError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions of TLS");
    let config = match target.tls {
        Tls::Disable | Tls::Require => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth(),
        Tls::VerifyFull => builder.with_root_certificates(roots(target).await?).with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

async fn roots(target: &Target) -> Result<RootCertStore, WorldError> {
    let tried = format!("trust certificates for {target}");
    let mut roots = RootCertStore::empty();
    if let Some(file) = &target.root_certificate {
        let help = "`sslrootcert` names a PEM file with at least one certificate";
        let bytes =
            tokio::fs::read(file).await.map_err(|error| refused(&tried, format!("read {file}: {error}"), help))?;
        for certificate in CertificateDer::pem_slice_iter(&bytes) {
            let certificate = certificate.map_err(|error| refused(&tried, format!("{file}: {error}"), help))?;
            roots.add(certificate).map_err(|error| refused(&tried, format!("{file}: {error}"), help))?;
        }
        if roots.is_empty() {
            return Err(refused(tried, format!("{file} holds no certificate"), help));
        }
        return Ok(roots);
    }
    let native = rustls_native_certs::load_native_certs();
    let (good, _) = roots.add_parsable_certificates(native.certs);
    if good == 0 {
        let cause = "this machine has no root certificates";
        return Err(refused(tried, cause, "install the package `ca-certificates`, or name a file in `sslrootcert`"));
    }
    Ok(roots)
}

/// Takes any certificate (`sslmode = "require"`), but not a broken handshake.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
