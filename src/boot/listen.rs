//! Serves HTTP with a limit on slow headers, which `axum::serve` does not set: a client that never ends its headers would hold a
//! connection for ever.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::base::limits;
use crate::web::Peer;

/// Serves until told to stop, then lets the requests under way end, for a while. With `tls`, nothing is ever said in the clear.
pub async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router, mut stopping: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(connections_at_once()));
    // Ended with the server, so that nothing holds on to the house after it.
    let mut connections = JoinSet::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits::HEADER_READ.as_duration()).keep_alive(true);
    loop {
        tokio::select! {
            (place, accepted) = next(&listener, &places) => match accepted {
                Ok((stream, from)) => {
                    // Answers are small and somebody waits for them.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "a connection keeps its delay");
                    }
                    let talk = Talk { http: http.clone(), router: Known { router: router.clone(), from }, watcher: graceful.watcher() };
                    let (tls, stopping) = (tls.clone(), stopping.clone());
                    connections.spawn(async move {
                        let _place = place;
                        match tls {
                            None => talk.over(stream).await,
                            Some(tls) => talk.over_tls(stream, &tls, stopping).await,
                        }
                    });
                }
                Err(error) => {
                    // Out of file handles, most likely: what is open must be able to close.
                    tracing::error!(%error, "no connection can be taken");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            changed = stopping.changed() => {
                if changed.is_err() || *stopping.borrow() {
                    break;
                }
            }
        }
    }
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(limits::SHUT_DOWN.as_duration()) => tracing::warn!("requests were cut off at the end"),
    }
    connections.shutdown().await;
}

/// One connection's conversation.
struct Talk {
    http: http1::Builder,
    router: Known,
    watcher: Watcher,
}

impl Talk {
    async fn over(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let connection = self.http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.router));
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended");
        }
    }

    /// The handshake has the time that headers have: a client that never ends it would hold a place for ever.
    async fn over_tls(self, stream: TcpStream, tls: &TlsAcceptor, mut stopping: watch::Receiver<bool>) {
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(limits::HEADER_READ.as_duration(), tls.accept(stream)) => shaken,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.over(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
            Err(_) => tracing::debug!("a handshake took too long"),
        }
    }
}

/// The doors, told where each request comes from. Not a layer: that would build every route anew for each connection.
#[derive(Clone)]
struct Known {
    router: Router,
    from: SocketAddr,
}

impl tower_service::Service<hyper::Request<Incoming>> for Known {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = <Router as tower_service::Service<hyper::Request<Incoming>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        tower_service::Service::<hyper::Request<Incoming>>::poll_ready(&mut self.router, context)
    }

    fn call(&mut self, mut request: hyper::Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(Peer(self.from.ip()));
        tower_service::Service::call(&mut self.router, request)
    }
}

/// The next connection, once there is a place for it; until then it waits with the system.
async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> (Option<OwnedSemaphorePermit>, io::Result<(TcpStream, SocketAddr)>) {
    // Never `None`: nobody closes the semaphore.
    let place = Arc::clone(places).acquire_owned().await.ok();
    (place, listener.accept().await)
}

/// Half of the file handles that the system allows this process, so that strangers who hold connections open never keep the database and
/// the provider from theirs.
fn connections_at_once() -> usize {
    let handles = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let half = handles.and_then(|handles| usize::try_from(handles / 2).ok()).unwrap_or(limits::CONNECTIONS);
    half.clamp(1, limits::CONNECTIONS)
}
