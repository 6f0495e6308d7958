//! TLS to a server, with ring and the machine's own root certificates. Reads certificate files.
//!
//! Invariant: `verify-full` trusts nothing but what the machine or the given file trusts, for exactly that host.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::any_certificate::AnyCertificate;
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
