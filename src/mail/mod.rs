//! The door for SMTP (RFC 5321): a mail to `KEY@domain`, or to `anything+KEY@domain`, is a message of the integration with that key. It
//! is taken, 250, only when it is durable.

mod session;

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use self::session::{End, Session};
use crate::base::limits;
use crate::flows::House;

/// What every connection is handed. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    house: House,
    domain: Arc<str>,
    /// `None`: there is no certificate, and so no STARTTLS.
    tls: Option<TlsAcceptor>,
}

impl Door {
    #[must_use]
    pub fn new(house: House, domain: &str, tls: Option<TlsAcceptor>) -> Self {
        Self { house, domain: domain.to_ascii_lowercase().into(), tls }
    }

    /// One connection, to its end.
    pub async fn talk<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S, stopping: watch::Receiver<bool>) {
        let talk = async {
            let End::Secure(stream, tls) = Session::new(self, stream, stopping.clone(), false).run().await else { return };
            match tokio::time::timeout(limits::HEADER_READ.as_duration(), tls.accept(stream)).await {
                Ok(Ok(stream)) => drop(Session::new(self, stream, stopping, true).run().await),
                Ok(Err(error)) => tracing::debug!(%error, "a handshake of mail failed"),
                Err(_) => tracing::debug!("a handshake of mail took too long"),
            }
        };
        if tokio::time::timeout(limits::MAIL_SESSION.as_duration(), talk).await.is_err() {
            tracing::info!("a connection that brought mail was cut off: it was open for too long");
        }
    }
}

/// Takes mail until told to stop, and then lets what is under way end, for a while.
pub async fn serve(listener: TcpListener, door: Door, mut stopping: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(limits::MAIL_CONNECTIONS));
    let (told, mut connections) = (stopping.clone(), JoinSet::new());
    loop {
        let next = async {
            // Never `None`: nobody closes the semaphore.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        tokio::select! {
            (place, accepted) = next => match accepted {
                Ok((stream, _)) => {
                    let (door, stopping) = (door.clone(), told.clone());
                    connections.spawn(async move {
                        let _place = place;
                        door.talk(stream, stopping).await;
                    });
                }
                Err(error) => {
                    tracing::error!(%error, "no connection with mail can be taken");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = async { drop(stopping.wait_for(|stopping| *stopping).await) } => break,
        }
    }
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits::SHUT_DOWN.as_duration(), ended).await.is_err() {
        tracing::warn!("mail was cut off at the end; its senders send it again");
    }
    connections.shutdown().await;
}
