//! As much of S3 as the emulator needs: objects are put, got and listed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

/// A bucket that nobody may read or write.
pub(crate) const CLOSED_BUCKET: &str = "closed";

/// Few, so that most lists have more than one page.
const KEYS_OF_A_PAGE: usize = 2;

#[derive(Clone, Default)]
pub(crate) struct FakeS3 {
    pub(crate) endpoint: String,
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
}

impl FakeS3 {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let s3 = Self { endpoint, ..Self::default() };
        let router = Router::new().fallback(answer).with_state(s3.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        s3
    }

    /// Puts an object, and says where it is.
    pub(crate) fn put(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) -> String {
        self.objects.lock().unwrap().insert(format!("/{bucket}/{key}"), bytes.into());
        format!("s3://{bucket}/{key}")
    }

    /// The S3 URIs of the objects that begin so.
    pub(crate) fn list(&self, uri: &str) -> Vec<String> {
        let path = uri.strip_prefix("s3:/").unwrap();
        let objects = self.objects.lock().unwrap();
        objects.keys().filter(|object| object.starts_with(path)).map(|object| format!("s3:/{object}")).collect()
    }

    /// The text of the object at an S3 URI.
    pub(crate) fn text(&self, uri: &str) -> String {
        String::from_utf8(self.bytes(uri)).unwrap()
    }

    /// The bytes of the object at an S3 URI.
    pub(crate) fn bytes(&self, uri: &str) -> Vec<u8> {
        let path = uri.strip_prefix("s3:/").unwrap();
        self.objects.lock().unwrap()[path].to_vec()
    }
}

async fn answer(
    State(s3): State<FakeS3>,
    Query(query): Query<HashMap<String, String>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let error = |status: StatusCode, code: &str| {
        let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
        (status, body).into_response()
    };
    let path = uri.path().replace("%20", " ");
    let mut objects = s3.objects.lock().unwrap();
    match method {
        _ if path.split('/').nth(1) == Some(CLOSED_BUCKET) => error(StatusCode::FORBIDDEN, "AccessDenied"),
        Method::GET if query.contains_key("list-type") => {
            let begin = format!("{}/{}", path.trim_end_matches('/'), query["prefix"]);
            let after = query.get("continuation-token").map_or("", String::as_str);
            let keys = objects.keys().filter(|object| object.starts_with(&begin) && object.as_str() > after);
            let mut keys: Vec<&String> = keys.take(KEYS_OF_A_PAGE + 1).collect();
            let is_truncated = keys.len() > KEYS_OF_A_PAGE;
            keys.truncate(KEYS_OF_A_PAGE);
            let next = keys.last().filter(|_| is_truncated);
            let next = next.map(|key| format!("<NextContinuationToken>{key}</NextContinuationToken>"));
            let key_of = |object: &str| object.splitn(3, '/').nth(2).unwrap().to_owned();
            let keys: String =
                keys.iter().map(|object| format!("<Contents><Key>{}</Key></Contents>", key_of(object))).collect();
            let next = next.unwrap_or_default();
            format!("<ListBucketResult><IsTruncated>{is_truncated}</IsTruncated>{keys}{next}</ListBucketResult>")
                .into_response()
        }
        Method::GET => match objects.get(&path) {
            Some(object) => object.clone().into_response(),
            None => error(StatusCode::NOT_FOUND, "NoSuchKey"),
        },
        Method::PUT => {
            objects.insert(path, body);
            StatusCode::OK.into_response()
        }
        _ => error(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
    }
}
