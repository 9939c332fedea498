//! What this machine can do at best, in the same minutes: a durable write and a bare request. A figure without it says nothing.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use axum::Router;
use axum::routing::post;
use reveille::base::clock::Clock;
use reveille::base::time::Span;
use tokio::net::TcpListener;

use crate::figures::{Figures, ms};

const TIMES: usize = 200;
const PAGE: usize = 4_096;

pub struct Floor {
    write: Figures,
    request: Figures,
}

impl Floor {
    pub async fn of(clock: &Clock, folder: &Path) -> Self {
        Self { write: writes(clock, folder), request: requests(clock).await }
    }

    /// The least a durable answer can take: one write and one request.
    pub fn whole(&self) -> Span {
        self.write.median + self.request.median
    }

    pub fn told(&self) -> String {
        format!(
            "durable write of 4 KiB {} ms (p99 {}), request on the loopback {} ms (p99 {})",
            ms(self.write.median),
            ms(self.write.p99),
            ms(self.request.median),
            ms(self.request.p99)
        )
    }
}

/// Each write goes to the end of the file and to the disk, as a database's log does.
fn writes(clock: &Clock, folder: &Path) -> Figures {
    let path = folder.join("floor");
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path).expect("a file can be made");
    let page = [7_u8; PAGE];
    let spans: Vec<Span> = (0..TIMES)
        .map(|n| {
            let began = clock.now();
            file.write_all_at(&page, u64::try_from(n * PAGE).expect("small")).expect("it is written");
            file.sync_data().expect("it reaches the disk");
            clock.now().since(began)
        })
        .collect();
    fs::remove_file(&path).expect("it was there");
    Figures::of(spans.into_iter())
}

async fn requests(clock: &Clock) -> Figures {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let serving = tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(|body: String| async { body }))).await });
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut spans = Vec::new();
    for _ in 0..TIMES {
        let began = clock.now();
        let answer = http.post(&url).body("{}").send().await.expect("an answer");
        assert_eq!(answer.text().await.expect("a body"), "{}");
        spans.push(clock.now().since(began));
    }
    serving.abort();
    Figures::of(spans.into_iter())
}

/// The machine and the build that the figures are of.
pub fn machine(database: &str) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo");
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("").trim_start_matches(['\t', ' ', ':']);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    let build = if cfg!(debug_assertions) { "an unoptimised build: its figures mean nothing" } else { "release build" };
    format!(
        "{database}; {build}; {processor}, {cores} cores, Linux {}; load {load} (sender and staged provider on the same machine)",
        read("/proc/sys/kernel/osrelease").trim()
    )
}
