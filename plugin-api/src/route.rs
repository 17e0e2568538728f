//! Requests from outside that start workflows: a plugin offers a route, and decides what each request to it starts.
//!
//! The host answers below `/api/<name>/`, without a sign-in: who may start what is the plugin's decision. Like a hook's it is pure: the
//! request goes in, a [`RouteAnswer`] comes out, and the host stores the execution and runs it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{error::PluginError, id::WorkflowId, trigger::ExecutionMode};

/// A request to a route.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RouteRequest<'a> {
    /// In capitals.
    pub method: &'a str,
    /// What comes after the route's name and a `/`, as sent.
    pub path: &'a str,
    /// What comes after `?`, as sent.
    pub query: &'a str,
    /// Names in small letters; one that was sent several times is there several times. Values that are no text are left out.
    pub headers: &'a [(String, String)],
    /// The body as sent, at most 1 MiB.
    pub body: &'a [u8],
    /// When it came, in milliseconds since 1970.
    pub at_ms: i64,
}

impl<'a> RouteRequest<'a> {
    /// A request at the beginning of 1970 without query, headers and body; set the public fields that matter.
    pub fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, path, query: "", headers: &[], body: &[], at_ms: 0 }
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum RouteAnswer {
    /// It starts a workflow of one of the plugin's own trigger types, which has to be enabled.
    Start(RouteStart),
    /// It starts nothing.
    Refuse(RouteRefusal),
}

impl RouteAnswer {
    /// Refuses with a status and a sentence for the caller.
    pub fn refuse(status: u16, message: impl Into<String>) -> Self {
        Self::Refuse(RouteRefusal { status, message: message.into() })
    }
}

/// An execution to be started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteStart {
    /// The workflow version to run.
    pub workflow: WorkflowId,
    /// Synchronous: the answer carries its outcome. Otherwise it carries the id of the execution.
    pub mode: ExecutionMode,
    /// What nodes find below `$context`.
    pub context: Map<String, Value>,
}

/// Why a request starts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteRefusal {
    /// 400 to 499; a host takes any other for 400.
    pub status: u16,
    /// One sentence for the caller. It should not help a stranger to guess.
    pub message: String,
}

/// Decides what requests to a route start.
///
/// Called on threads of the host, many at a time. It must not block: it answers from the request and from what the plugin keeps in
/// memory.
pub trait RouteHandler: Send + Sync + 'static {
    /// Answers a request.
    ///
    /// # Errors
    ///
    /// An error, or a panic, starts nothing, and the caller is told to try again later; the host reports it against the plugin. What
    /// the caller did wrong is a [`RouteAnswer::Refuse`].
    fn answer(&self, request: &RouteRequest<'_>) -> Result<RouteAnswer, PluginError>;
}
