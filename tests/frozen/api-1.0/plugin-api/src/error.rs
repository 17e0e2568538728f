//! The one error type of plugins.

use serde::{Deserialize, Serialize};

/// Says who has to act on a [`PluginError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The person who configures or calls: the host answers 400 with the message.
    Invalid,
    /// The operator: the plugin's settings or its surroundings are wrong.
    Unavailable,
    /// The plugin's author: a panic or a broken promise.
    Fault,
}

/// What went wrong, in one sentence for the person named by [`ErrorKind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct PluginError {
    /// Who acts on it.
    pub kind: ErrorKind,
    /// The sentence.
    pub message: String,
}

impl PluginError {
    /// The caller's or configurer's mistake.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Invalid, message: message.into() }
    }

    /// Something the plugin needs is not there.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Unavailable, message: message.into() }
    }

    /// The plugin is at fault.
    pub fn fault(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Fault, message: message.into() }
    }
}
