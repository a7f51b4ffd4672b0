//! S3 and Clean Rooms ML on loopback, with answers that are always the same, with and without TLS.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};

use crate::Failure;
use crate::server::{Request, Response, Server};

const JOB: &str =
    "arn:aws:cleanrooms-ml:us-east-1:000000000000:audience-generation-job/0e6e0c0c-7f4e-4d54-8a43-6b0c5a3a1f6e";
const MODEL: &str =
    "arn:aws:cleanrooms-ml:us-east-1:000000000000:configured-audience-model/6ab1a2f4-5d51-4a42-9d35-1a40ac8ca0c3";

pub(crate) struct Services {
    server: Server,
    has_tls: bool,
    /// What the services themselves took, in nanoseconds.
    took: Arc<AtomicU64>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Services {
    pub(crate) fn start(tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let has_tls = tls.is_some();
        let (took, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (sum, calls) = (took.clone(), seen.clone());
        let handler = move |request: Request| {
            let began = Instant::now();
            let response = answer(&request);
            calls.lock().ok()?.push(format!("{} {}", request.method, request.path));
            sum.fetch_add(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
            Some(response)
        };
        Ok(Self { server: Server::start(tls, Arc::new(handler))?, has_tls, took, seen })
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.has_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.server.address)
    }

    /// What the services have taken since this was asked last.
    pub(crate) fn took(&self) -> Duration {
        Duration::from_nanos(self.took.swap(0, Ordering::Relaxed))
    }

    /// The calls since this was asked last.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.seen.lock().map(|mut seen| std::mem::take(&mut *seen)).unwrap_or_default()
    }
}

fn answer(request: &Request) -> Response {
    let path = request.path.split('?').next().unwrap_or_default();
    let body = match (request.method.as_str(), path) {
        ("GET", path) if path.starts_with("/my-seeds/checked/") => checked_request(),
        ("POST", "/audience-generation-job") => json!({ "audienceGenerationJobArn": JOB }),
        ("POST", "/audience-export-job") => json!({}),
        ("GET", path) if path.starts_with("/audience-generation-job/") => json!({
            "audienceGenerationJobArn": JOB, "name": "spring-runners", "status": "CREATE_IN_PROGRESS",
            "createTime": "2026-11-22T16:00:05Z", "updateTime": "2026-11-22T16:00:05Z",
            "configuredAudienceModelArn": MODEL,
        }),
        // As the services do without credentials.
        _ => return Response { status: 403, ..Response::default() },
    };
    let headers = vec![("content-type", "application/json".to_owned())];
    Response { status: 200, headers, body: body.to_string().into_bytes() }
}

/// What `check-request` would have written.
fn checked_request() -> Value {
    json!({
        "name": "spring-runners",
        "configuredAudienceModelArn": MODEL,
        "seedAudience": {
            "roleArn": "arn:aws:iam::000000000000:role/seed",
            "dataSource": { "s3Uri": "s3://my-seeds/checked/spring-runners-00f1e2d3c4b5a697.jsonl" },
        },
        "export": "all",
        "deadlineSeconds": 172_800,
    })
}

/// A private root, a server's certificate of it, and a file of the root beside all those of this machine: reading a
/// bundle of the usual size is a part of what is measured.
pub(crate) fn tls(folder: &Path) -> Result<(Arc<ServerConfig>, PathBuf), Failure> {
    let root_key = KeyPair::generate()?;
    let mut root = CertificateParams::new(Vec::new())?;
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = root.self_signed(&root_key)?.pem();
    let key = KeyPair::generate()?;
    let server = CertificateParams::new(["127.0.0.1".to_owned()])?.signed_by(&key, &Issuer::new(root, root_key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
    let bundle = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .ok_or("no bundle of CA certificates on this machine")?;
    let file = folder.join("roots.pem");
    std::fs::write(&file, bundle + &pem)?;
    Ok((Arc::new(config), file))
}
