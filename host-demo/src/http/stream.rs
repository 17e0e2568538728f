//! Server-sent events: turns a stream of named JSON values into an answer that stays open.
//!
//! There are no event ids: a client that reconnects starts anew, and reads what it needs to know from the tables. A comment
//! goes out when nothing else does, so that both sides notice a connection that is gone.

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, StreamExt as _};
use serde_json::Value;

/// Time between two signs of life: well below the minute after which proxies give up on a silent connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a client waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    /// Its kind, for `addEventListener`.
    pub(crate) name: &'static str,
    /// What it says.
    pub(crate) data: Value,
}

/// Answers with the events as they come; the connection ends with the stream.
pub(crate) fn response(events: impl Stream<Item = Told> + Send + 'static) -> Response {
    let events = events.map(|told| {
        let event = Event::default().event(told.name).retry(RETRY).data(told.data.to_string());
        Ok::<_, Infallible>(event)
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("alive")).into_response()
}
