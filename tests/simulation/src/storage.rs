//! S3 in memory: one bucket with versions, as far as the functions use it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::http::{Method, Response, Uri};
use lookalike::execution::Moment;

/// An object, in all its versions. The last one is the current one.
struct Object {
    versions: Vec<Version>,
}

struct Version {
    body: Vec<u8>,
    metadata: Vec<(String, String)>,
    time: Moment,
}

/// The bucket.
#[derive(Default)]
pub(crate) struct Storage {
    objects: BTreeMap<String, Object>,
}

/// A request to S3.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) body: &'a [u8],
    /// Whether the key must not exist.
    pub(crate) is_new: bool,
}

impl Storage {
    /// Puts an object and returns its version.
    pub(crate) fn put(&mut self, key: &str, body: Vec<u8>, metadata: Vec<(String, String)>, time: Moment) -> String {
        let object = self.objects.entry(key.to_owned()).or_insert_with(|| Object { versions: Vec::new() });
        object.versions.push(Version { body, metadata, time });
        format!("v{}", object.versions.len())
    }

    /// Returns the keys and current bodies of all objects.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.objects.iter().filter_map(|(key, object)| Some((key.as_str(), object.versions.last()?.body.as_slice())))
    }

    /// Returns how many versions an object has.
    pub(crate) fn version_count(&self, key: &str) -> usize {
        self.objects.get(key).map_or(0, |object| object.versions.len())
    }

    /// Answers a request.
    pub(crate) fn answer(&mut self, request: &Request<'_>, time: Moment) -> Response<Vec<u8>> {
        let query = request.uri.query().unwrap_or_default();
        let parameter = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(percent_decoded)
        };
        let key = percent_decoded(request.uri.path().trim_start_matches('/'));
        match *request.method {
            Method::GET if parameter("list-type").is_some() => self.list(&parameter("prefix").unwrap_or_default()),
            Method::GET | Method::HEAD => self.get(&key, parameter("versionId").as_deref(), request.method),
            Method::PUT if request.is_new && self.objects.contains_key(&key) => error(412, "PreconditionFailed"),
            Method::PUT => {
                let version = self.put(&key, request.body.to_vec(), Vec::new(), time);
                response(200, &[("x-amz-version-id", &version), ("etag", "\"e\"")], Vec::new())
            }
            _ => error(405, "MethodNotAllowed"),
        }
    }

    fn get(&self, key: &str, version: Option<&str>, method: &Method) -> Response<Vec<u8>> {
        let Some(object) = self.objects.get(key) else { return error(404, "NoSuchKey") };
        let place = version.and_then(|version| version.strip_prefix('v')?.parse::<usize>().ok());
        let number = place.unwrap_or(object.versions.len());
        let Some(version) = number.checked_sub(1).and_then(|place| object.versions.get(place)) else {
            return error(404, "NoSuchVersion");
        };
        let (length, id) = (version.body.len().to_string(), format!("v{number}"));
        let mut headers = vec![("content-length", length.as_str()), ("x-amz-version-id", &id), ("etag", "\"e\"")];
        let metadata: Vec<(String, &str)> =
            version.metadata.iter().map(|(key, value)| (format!("x-amz-meta-{key}"), value.as_str())).collect();
        headers.extend(metadata.iter().map(|(key, value)| (key.as_str(), *value)));
        let body = if method == Method::HEAD { Vec::new() } else { version.body.clone() };
        response(200, &headers, body)
    }

    fn list(&self, prefix: &str) -> Response<Vec<u8>> {
        let mut entries = String::new();
        for (key, object) in self.objects.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix)) {
            if let Some(version) = object.versions.last() {
                let (size, time) = (version.body.len(), version.time);
                let _ = write!(
                    entries,
                    "<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>{time}</LastModified></Contents>"
                );
            }
        }
        let body = format!("<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>");
        response(200, &[("content-type", "application/xml")], body.into_bytes())
    }
}

fn error(status: u16, code: &str) -> Response<Vec<u8>> {
    let body = format!("<Error><Code>{code}</Code><Message>simulated</Message></Error>");
    response(status, &[("content-type", "application/xml")], body.into_bytes())
}

pub(crate) fn response(status: u16, headers: &[(&str, &str)], body: Vec<u8>) -> Response<Vec<u8>> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body).unwrap_or_default()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = (byte == b'%').then(|| {
            let digits = [rest.next().unwrap_or_default(), rest.next().unwrap_or_default()];
            std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok())
        });
        bytes.push(hex.map_or(byte, |hex| hex.unwrap_or(byte)));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
