//! Serves HTTP with a limit on slow headers, which `axum::serve` does not set: a client that never ends its headers would hold a
//! connection for ever.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::places::{Manner, Place, Places, connections_at_once, raise_handles};
use crate::base::limits;
use crate::base::metrics::Metrics;
use crate::web::Peer;

/// Serves until told to stop, then lets the requests under way end, for a while. With `tls`, nothing is ever said in the clear.
pub async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router, metrics: Metrics, mut stopping: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    raise_handles();
    let places = Places::new(connections_at_once(), metrics);
    // Ended with the server, so that nothing holds on to the house after it.
    let mut connections = JoinSet::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits::HEADER_READ.as_duration()).keep_alive(true);
    http.max_buf_size(limits::HEADER_BYTES);
    loop {
        tokio::select! {
            (place, accepted) = next(&listener, &places) => match accepted {
                Ok((stream, from)) => {
                    // Answers are small and somebody waits for them.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "a connection keeps its delay");
                    }
                    let talk = Talk { http: http.clone(), router: Known { router: router.clone(), from, manner: place.manner() }, watcher: graceful.watcher() };
                    let (tls, stopping) = (tls.clone(), stopping.clone());
                    connections.spawn(async move {
                        let talked = async {
                            match tls {
                                None => talk.over(stream).await,
                                Some(tls) => talk.over_tls(stream, &tls, stopping).await,
                            }
                        };
                        tokio::select! {
                            () = talked => {}
                            () = place.wanted() => tracing::debug!("a connection that only waited was given up for another"),
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
    manner: Manner,
}

impl tower_service::Service<hyper::Request<Incoming>> for Known {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        tower_service::Service::<axum::extract::Request>::poll_ready(&mut self.router, context)
    }

    fn call(&mut self, mut request: hyper::Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(Peer(self.from.ip()));
        let (manner, answered) = (self.manner.clone(), self.manner.clone());
        let answer = tower_service::Service::call(&mut self.router, request.map(|body| manner.receives(body)));
        Box::pin(async move { Ok(answer.await?.map(|body| answered.answers(body))) })
    }
}

/// The next connection, once there is a place for it: while all are taken, one that only waits has to leave. The place comes first, because
/// this may be given up at any time, and a connection that was taken would be lost with it.
async fn next(listener: &TcpListener, places: &Places) -> (Place, io::Result<(TcpStream, SocketAddr)>) {
    let place = places.take().await;
    (place, listener.accept().await)
}
