//! A client of server-sent events.

use std::{collections::VecDeque, time::Duration};

use reqwest::{Method, Response};
use serde_json::Value;

use super::Client;

/// Longer than anything takes that is waited for on a loaded two-core machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// An open stream.
pub(crate) struct Events {
    response: Response,
    text: String,
    read: VecDeque<(String, Value)>,
}

impl Events {
    /// Opens `GET /api/<path>` and waits until the server says that it is ready.
    pub(crate) async fn open(client: &Client, path: &str) -> Self {
        let response = client.request(Method::GET, path).send().await.expect("the server answers");
        assert_eq!(response.status(), 200);
        let mut events = Self { response, text: String::new(), read: VecDeque::new() };
        assert_eq!(events.next().await.expect("an event").0, "ready");
        events
    }

    /// The next event's name and data; `None` once the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some(event) = self.read.pop_front() {
                return Some(event);
            }
            let chunk =
                tokio::time::timeout(DEADLINE, self.response.chunk()).await.expect("waited a minute for an event");
            // A connection that was cut off is an end, too: whether it was clean is not the question here.
            let chunk = chunk.ok().flatten()?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                self.read.extend(parse(event));
                self.text = rest.to_owned();
            }
        }
    }

    /// The events up to the first that `is_last` accepts.
    pub(crate) async fn until(&mut self, is_last: impl Fn(&str, &Value) -> bool) -> Vec<(String, Value)> {
        let mut events = Vec::new();
        loop {
            let (name, data) = self.next().await.unwrap_or_else(|| panic!("the stream ended after {events:?}"));
            let last = is_last(&name, &data);
            events.push((name, data));
            if last {
                return events;
            }
        }
    }
}

/// Reads one event; `None` for a comment.
fn parse(event: &str) -> Option<(String, Value)> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let data = serde_json::from_str(field("data:")?).expect("JSON");
    Some((field("event:")?.to_owned(), data))
}
