//! What is read of the server: pages in a browser, the live stream, an incident as the API tells it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

/// A browser without scripts: cookies and forms.
pub struct Browser {
    pub(super) url: String,
    pub(super) http: reqwest::Client,
    pub(super) cookies: Mutex<BTreeMap<String, String>>,
}

/// What a browser is shown.
pub struct Page {
    pub status: u16,
    pub location: Option<String>,
    pub text: String,
}

impl Browser {
    pub async fn get(&self, path: &str) -> Page {
        self.ask(self.http.get(format!("{}{path}", self.url))).await
    }

    /// Sends a form.
    pub async fn post(&self, path: &str, form: &str) -> Page {
        let post = self.http.post(format!("{}{path}", self.url)).header("content-type", "application/x-www-form-urlencoded");
        self.ask(post.body(form.to_owned())).await
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Page {
        let cookies: Vec<String> = self.cookies.lock().expect("cookies").iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header("cookie", cookies.join("; ")).send().await.expect("an answer");
        for cookie in answer.headers().get_all("set-cookie") {
            let (pair, attributes) = cookie.to_str().expect("text").split_once(';').expect("attributes");
            assert!(attributes.contains("HttpOnly") && attributes.contains("SameSite"), "{attributes}");
            let (name, value) = pair.split_once('=').expect("a pair");
            self.cookies.lock().expect("cookies").insert(name.to_owned(), value.to_owned());
        }
        Page {
            status: answer.status().as_u16(),
            location: answer.headers().get("location").map(|to| to.to_str().expect("text").to_owned()),
            text: answer.text().await.expect("a page"),
        }
    }
}

impl Page {
    /// The token of its forms.
    pub fn csrf(&self) -> String {
        let (_, rest) = self.text.split_once("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("no form on {}", self.text));
        rest.split('"').next().expect("a value").to_owned()
    }
}

/// A live stream of timeline entries.
pub struct Stream {
    pub(super) answer: reqwest::Response,
    pub(super) text: String,
}

impl Stream {
    /// The entries up to the first of this kind, which must come soon.
    pub async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut entries: Vec<Value> = Vec::new();
        loop {
            let entry = tokio::time::timeout(Duration::from_secs(5), self.next()).await;
            let entry = entry.unwrap_or_else(|_| panic!("no {kind} came; {:?} did", kinds(&entries)));
            let is_last = entry["kind"] == kind;
            entries.push(entry);
            if is_last {
                return entries;
            }
        }
    }

    async fn next(&mut self) -> Value {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let entry = (field("event:") == Some("fact")).then(|| {
                    let entry: Value = serde_json::from_str(field("data:").expect("data")).expect("JSON");
                    assert_eq!(field("id:"), Some(entry["seq"].to_string().as_str()), "the id resumes the stream");
                    entry
                });
                let rest = rest.to_owned();
                self.text = rest;
                if let Some(entry) = entry {
                    return entry;
                }
            }
            let chunk = self.answer.chunk().await.expect("the stream holds").expect("the stream goes on");
            self.text.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }
}

pub fn kinds(entries: &[Value]) -> Vec<&str> {
    entries.iter().filter_map(|entry| entry["kind"].as_str()).collect()
}

/// One incident as the API tells it.
pub struct Incident {
    pub row: Value,
    pub timeline: Vec<Value>,
    pub alerts: Vec<Value>,
    pub pages: Vec<Value>,
}

impl Incident {
    pub fn is_acknowledged_by(&self, user: &str) -> &Self {
        assert_eq!(self.row["state"], "acknowledged", "{:#}", self.row);
        let actor = self.entry("incident_acknowledged")["actor"].clone();
        assert_eq!(actor, user);
        self
    }

    /// How often something of this kind is on the timeline.
    pub fn times(&self, kind: &str) -> usize {
        self.kinds().into_iter().filter(|other| *other == kind).count()
    }

    /// The attempts of this person's pages, oldest first.
    pub fn attempts(&self, user: &str) -> Vec<&Value> {
        let pages = self.pages.iter().filter(|page| page["user"] == user);
        pages.flat_map(|page| page["attempts"].as_array().expect("a list")).collect()
    }

    pub fn is(&self, state: &str) -> &Self {
        assert_eq!(self.row["state"], state, "{:#}", self.row);
        self
    }

    /// The newest timeline entry of this kind.
    pub fn entry(&self, kind: &str) -> &Value {
        self.timeline.iter().rev().find(|entry| entry["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in {:?}", self.kinds()))
    }

    pub fn kinds(&self) -> Vec<&str> {
        kinds(&self.timeline)
    }
}
