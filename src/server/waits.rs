//! What else than input a connection waits for: that its time is up, and to be told something.
//!
//! Both are kept from one wait to the next. A timer that is set anew for each request costs as much as the request, so it is
//! left where it is, and looked at again when it rings: most deadlines have moved by then.

use super::clients::Client;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Sleep, sleep_until};

/// The timer and the ear of a connection.
pub(super) struct Waits {
    client: Arc<Client>,
    told: Pin<Box<OwnedNotified>>,
    timer: Pin<Box<Sleep>>,
}

/// Why a connection does not wait for input any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// Its time is up.
    Late,
    /// The server stops, or somebody ended the connection.
    Told,
}

impl Waits {
    /// For a client whose time is up at `deadline`.
    pub(super) fn new(client: Arc<Client>, deadline: Instant) -> Waits {
        let told = Box::pin(Arc::clone(&client.told).notified_owned());
        Waits { client, told, timer: Box::pin(sleep_until(deadline)) }
    }

    /// Resolves at the deadline, or when there is something to be told.
    pub(super) async fn interrupt(&mut self, deadline: Instant) -> Interrupt {
        poll_fn(|cx| {
            if self.told.as_mut().poll(cx).is_ready() {
                self.told.set(Arc::clone(&self.client.told).notified_owned());
                return Poll::Ready(Interrupt::Told);
            }
            if self.timer.deadline() > deadline {
                self.timer.as_mut().reset(deadline);
            }
            while self.timer.as_mut().poll(cx).is_ready() {
                if Instant::now() >= deadline {
                    return Poll::Ready(Interrupt::Late);
                }
                self.timer.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await
    }
}
