//! A gateway in this process, and requests to it.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use macula_mesh::{Identity, Mesh};
use macula_server::{
    api::{self, Gateway, Settings},
    conn::{Conn, Protocol},
    drain,
    metrics::Metrics,
    stack::Stack,
};
use serde_json::Value;

/// A gateway of one node, behind its stack.
pub struct Node {
    pub gateway: Arc<Gateway>,
    pub drain: drain::Trigger,
    stack: Stack,
}

/// What came back; the body is read as far as a test asks.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Body,
    /// What of a stream was read and not given out.
    rest: String,
}

impl Node {
    pub fn start() -> Self {
        Self::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Self {
        let identity = Identity {
            name: "test".to_owned(),
            version: "0",
        };
        let mesh = Mesh::start(identity, &macula_mesh::Settings::default()).unwrap();
        let (trigger, signal) = drain::channel();
        let gateway = Gateway::start(mesh, settings, Metrics::new(), signal);
        Self {
            stack: api::stack(Arc::clone(&gateway)),
            gateway,
            drain: trigger,
        }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        self.send_on(request, false).await
    }

    /// As `send`, in TLS early data or not.
    pub async fn send_on(&self, request: Request<Body>, early_data: bool) -> Answer {
        let conn = Conn {
            protocol: Protocol::Http2,
            peer: "127.0.0.1:1".parse().unwrap(),
            early_data,
        };
        let response = self.stack.answer(conn, request).await;
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            rest: String::new(),
        }
    }

    /// Sends a request with a body of this media type, none for an empty one.
    pub async fn ask(&self, method: Method, path: &str, media_type: &str, body: &[u8]) -> Answer {
        self.send(request(method, path, &[("content-type", media_type)], body))
            .await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, &[], b"")).await
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.send(request(Method::POST, path, headers, body)).await
    }

    /// Opens a session; gives its token.
    pub async fn session(&self, subject: &str) -> String {
        let body = format!(r#"{{"subject":"{subject}"}}"#);
        let opened = self.ask(
            Method::POST,
            "/v1/session",
            "application/json",
            body.as_bytes(),
        );
        let opened = opened.await.json().await;
        opened["token"].as_str().unwrap().to_owned()
    }
}

pub fn request(method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_vec())).unwrap()
}

impl Answer {
    pub async fn bytes(self) -> Bytes {
        self.body.collect().await.unwrap().to_bytes()
    }

    pub async fn json(self) -> Value {
        let media_type = self.header(header::CONTENT_TYPE).to_owned();
        let bytes = self.bytes().await;
        let value = match media_type.ends_with("msgpack") {
            true => rmp_serde::from_slice(&bytes).ok(),
            false => serde_json::from_slice(&bytes).ok(),
        };
        value.unwrap_or_else(|| panic!("{media_type}: {}", String::from_utf8_lossy(&bytes)))
    }

    /// The refusal's code and detail.
    pub async fn problem(self) -> (u16, String, String) {
        let status = self.status.as_u16();
        let id = self.header("x-request-id").to_owned();
        let problem = self.json().await;
        assert_eq!(problem["status"], status);
        assert_eq!(problem["instance"], id.as_str());
        let text = |member: &str| problem[member].as_str().unwrap().to_owned();
        (status, text("code"), text("detail"))
    }

    pub fn header(&self, name: impl header::AsHeaderName) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The next event of a stream: its name, id and data; none at the end. Fields that are no
    /// event (`retry`) are left out.
    pub async fn event(&mut self) -> Option<(String, String, Value)> {
        loop {
            let Some((text, rest)) = self.rest.split_once("\n\n") else {
                let frame = self.body.frame().await?.unwrap();
                let bytes = frame.into_data().unwrap();
                self.rest += std::str::from_utf8(&bytes).unwrap();
                continue;
            };
            let (text, rest) = (text.to_owned(), rest.to_owned());
            self.rest = rest;
            let field = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_default().to_owned()
            };
            if !text.contains("data: ") {
                continue;
            }
            let data = serde_json::from_str(&field("data: ")).unwrap();
            return Some((field("event: "), field("id: "), data));
        }
    }
}
