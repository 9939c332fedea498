//! Somebody else's server: it takes requests, keeps them, and answers what it is told to.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

#[derive(Debug, Clone)]
pub struct Got {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("plain text"))
    }
}

pub struct Receiver {
    pub url: String,
    got: Arc<Mutex<Vec<Got>>>,
    status: Arc<AtomicU16>,
    says: Arc<Mutex<String>>,
    _serving: JoinSet<()>,
}

impl Receiver {
    pub async fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (got, status) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU16::new(200)));
        let says = Arc::new(Mutex::new(String::new()));
        let (keeps, answers, words) = (Arc::clone(&got), Arc::clone(&status), Arc::clone(&says));
        let take = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
            let body = String::from_utf8(body.to_vec()).expect("text");
            keeps.lock().expect("nobody panics").push(Got { method, path: uri.to_string(), headers, body });
            let said = words.lock().expect("nobody panics").clone();
            (StatusCode::from_u16(answers.load(Ordering::Relaxed)).expect("a status"), said)
        };
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, Router::new().fallback(take)).await.expect("it serves") });
        Self { url, got, status, says, _serving: serving }
    }

    /// What it answers from now on.
    pub fn answers(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// What it says with it.
    pub fn says(&self, words: &str) {
        words.clone_into(&mut self.says.lock().expect("nobody panics"));
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().expect("nobody panics").clone()
    }

    /// Waits, in real time and not for long, until so many requests have come; all of them.
    pub async fn gets(&self, n: usize) -> Vec<Got> {
        for _ in 0..10_000 {
            if self.got().len() >= n {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let got = self.got();
        assert_eq!(got.len(), n, "{got:#?}");
        got
    }
}
