//! What the variables of one node can see.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use super::path::{Path, Root, follow};

/// The values that the variables of a node resolve to. Cheap to build for each node: values are shared.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    context: Arc<Value>,
    jobs: HashMap<String, Arc<Value>>,
    /// By the key of the surrounding node.
    scopes: HashMap<String, Arc<Value>>,
    now: DateTime<Utc>,
}

impl Scope {
    /// Starts with the context of an execution, at this moment (milliseconds since 1970).
    pub(crate) fn new(context: Value, now_ms: i64) -> Self {
        Self { context: Arc::new(context), jobs: HashMap::new(), scopes: HashMap::new(), now: moment(now_ms) }
    }

    /// Adds the result of a node, in place of an earlier one of the same node.
    pub(crate) fn add_job(&mut self, node_key: &str, result: Arc<Value>) {
        self.jobs.insert(node_key.to_owned(), result);
    }

    /// Sets what the nodes inside a node see as `$scopes.<key>`; `None` when they are left.
    pub(crate) fn set_surrounding(&mut self, node_key: &str, variables: Option<Value>) {
        match variables {
            Some(variables) => self.scopes.insert(node_key.to_owned(), Arc::new(variables)),
            None => self.scopes.remove(node_key),
        };
    }

    /// Sets what `$system.now` says, in milliseconds since 1970.
    pub(crate) fn set_now(&mut self, now_ms: i64) {
        self.now = moment(now_ms);
    }

    /// The moment that `$system.now` says.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Looks a variable up; `None` if there is nothing at its path.
    pub(crate) fn lookup(&self, path: &Path) -> Option<Value> {
        match path.root {
            Root::Context => follow(&self.context, &path.members),
            Root::Jobs => keyed(&self.jobs, &path.members),
            Root::Scopes => keyed(&self.scopes, &path.members),
            Root::System => match path.members.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                ["now"] => Some(Value::String(self.now.to_rfc3339_opts(SecondsFormat::Millis, true))),
                _ => None,
            },
        }
    }
}

fn keyed(values: &HashMap<String, Arc<Value>>, members: &[String]) -> Option<Value> {
    let (key, rest) = members.split_first()?;
    follow(values.get(key)?, rest)
}

/// What a clock tells; one that is beyond the calendar is back at its beginning.
fn moment(now_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(now_ms).unwrap_or_default()
}
