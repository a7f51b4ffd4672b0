//! As much of S3 as the emulator needs: objects are put and got.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

/// A bucket that nobody may read or write.
pub(crate) const CLOSED_BUCKET: &str = "closed";

#[derive(Clone, Default)]
pub(crate) struct FakeS3 {
    pub(crate) endpoint: String,
    objects: Arc<Mutex<HashMap<String, Bytes>>>,
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

    /// The text of the object at an S3 URI.
    pub(crate) fn text(&self, uri: &str) -> String {
        let path = uri.strip_prefix("s3:/").unwrap();
        String::from_utf8(self.objects.lock().unwrap()[path].to_vec()).unwrap()
    }
}

async fn answer(State(s3): State<FakeS3>, method: Method, uri: Uri, body: Bytes) -> Response {
    let error = |status: StatusCode, code: &str| {
        let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
        (status, body).into_response()
    };
    let path = uri.path().replace("%20", " ");
    let mut objects = s3.objects.lock().unwrap();
    match method {
        _ if path.starts_with(&format!("/{CLOSED_BUCKET}/")) => error(StatusCode::FORBIDDEN, "AccessDenied"),
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
