//! What a request can end with other than success, and the one mapping to status and body.
//!
//! Public text and operator text are apart: `ApiError::public` is what the caller reads; the cause behind a 5xx goes to
//! the log, once, in its `IntoResponse`. `code` is stable and for programs; the sentences that clients of the wire
//! protocol know without a code carry none.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use store::StoreError;
use workflow::EngineError;

use crate::{pipeline::Considered, plugins::ChangeError};

/// Why a request is answered with an error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The caller's mistake, with a stable code.
    #[error("{message}")]
    Invalid {
        /// For programs.
        code: &'static str,
        /// One sentence for people.
        message: String,
    },
    /// The configurer's or caller's mistake, in a sentence that clients know without a code.
    #[error("{0}")]
    Refused(String),
    /// The body is no JSON.
    #[error("the body is not valid JSON: {0}")]
    MalformedJson(String),
    /// The body is over the limit.
    #[error("the body is longer than {limit_bytes} bytes")]
    BodyTooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The verb fits no action.
    #[error("this method is not allowed here")]
    MethodNotAllowed,
    /// No token was sent.
    #[error("Unauthenticated. Please sign in to continue.")]
    EmptyToken,
    /// The token is broken, expired, or of a user who is gone.
    #[error("Your session has expired. Please sign in again.")]
    InvalidToken,
    /// The user does not have the role that was asked for, or none at all.
    #[error("The role does not belong to the user")]
    RoleNotFound,
    /// Account or password is wrong; which one is not said.
    #[error("The username/email or password is incorrect, please re-enter")]
    WrongCredentials,
    /// The role may not do this.
    #[error("No permissions")]
    Forbidden,
    /// The resource, action or record is not there.
    #[error("{what} not found")]
    NotFound {
        /// For programs.
        code: &'static str,
        /// What was looked for.
        what: String,
    },
    /// A synchronous workflow ended the request with its own words, possibly none.
    #[error("a workflow refused the action")]
    Rejected {
        /// What its response-message nodes said.
        messages: Vec<String>,
    },
    /// A synchronous workflow broke.
    #[error("Workflow on your action failed, please contact the administrator")]
    WorkflowFailed,
    /// A synchronous workflow waits for something that no request can wait for.
    #[error("Workflow on your action hangs, please contact the administrator")]
    WorkflowHangs,
    /// The server is stopping.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// As many streams are open as the server serves.
    #[error("too many streams are open")]
    TooManyStreams,
    /// A plugin that the host needs cannot decide about the action, which is not done.
    #[error(
        "plugin \"{plugin}\", which is required, is out of order: nothing was done, please contact the administrator"
    )]
    PluginUnavailable {
        /// Which.
        plugin: String,
    },
    /// A plugin has refused a request to its route.
    #[error("{message}")]
    RefusedByRoute {
        /// As the plugin says; 400 unless it is a client error.
        status: u16,
        /// The plugin's sentence.
        message: String,
    },
    /// The plugin of a route cannot answer.
    #[error("plugin \"{plugin}\" cannot answer now: nothing was started, please try again later")]
    RouteUnavailable {
        /// Which.
        plugin: String,
    },
    /// The plugins of the host stay as they are.
    #[error(transparent)]
    Plugins(#[from] ChangeError),
    /// The store refused or failed.
    #[error(transparent)]
    Store(StoreError),
    /// The engine refused or failed.
    #[error(transparent)]
    Engine(EngineError),
    /// A defect: the operator finds the cause in the log.
    #[error("internal error: {0}")]
    Internal(String),
    /// An action failed whose caller has asked why workflows fire or do not.
    #[error("{cause}")]
    Explained {
        /// Why it failed.
        cause: Box<ApiError>,
        /// Never empty.
        considered: Vec<Considered>,
    },
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused { messages } => Self::Rejected { messages },
            // Who it was is logged where it happens.
            StoreError::Broken { .. } => Self::WorkflowFailed,
            other => Self::Store(other),
        }
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error @ (StoreError::Refused { .. } | StoreError::Broken { .. })) => error.into(),
            other => Self::Engine(other),
        }
    }
}

/// Codes of the store whose sentences clients know without one.
const KNOWN_WITHOUT_CODE: [&str; 1] = ["WORKFLOW_FROZEN"];

/// What of a failure passes by itself. What the database says is for the operator.
const DATABASE_UNAVAILABLE: &str = "DATABASE_UNAVAILABLE";

impl ApiError {
    /// The caller's mistake.
    pub(crate) fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { code, message: message.into() }
    }

    /// A path of a shape that nothing answers to.
    pub(crate) fn unknown_path() -> Self {
        Self::NotFound { code: "NOT_FOUND", what: "path".to_owned() }
    }

    /// An action that the resource does not have.
    pub(crate) fn unknown_action(resource: &str, action: &str) -> Self {
        Self::NotFound { code: "UNKNOWN_ACTION", what: format!("action \"{action}\" of \"{resource}\"") }
    }

    /// A resource that is neither built in nor a collection.
    pub(crate) fn unknown_resource(resource: &str) -> Self {
        Self::NotFound { code: "UNKNOWN_RESOURCE", what: format!("resource \"{resource}\"") }
    }

    /// A record that is not there.
    pub(crate) fn no_record() -> Self {
        Self::NotFound { code: "NOT_FOUND", what: "record".to_owned() }
    }

    /// Adds what was considered, if anything was.
    pub(crate) fn explained(self, considered: Vec<Considered>) -> Self {
        if considered.is_empty() { self } else { Self::Explained { cause: Box::new(self), considered } }
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Invalid { .. } | Self::Refused(_) | Self::MalformedJson(_) | Self::Rejected { .. } => {
                StatusCode::BAD_REQUEST
            }
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::EmptyToken | Self::InvalidToken | Self::RoleNotFound | Self::WrongCredentials => {
                StatusCode::UNAUTHORIZED
            }
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::WorkflowFailed | Self::WorkflowHangs | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::RefusedByRoute { status, .. } => StatusCode::from_u16(*status)
                .ok()
                .filter(StatusCode::is_client_error)
                .unwrap_or(StatusCode::BAD_REQUEST),
            Self::ShuttingDown
            | Self::TooManyStreams
            | Self::PluginUnavailable { .. }
            | Self::RouteUnavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Plugins(error) => change_status(error),
            Self::Store(error) => store_status(error),
            Self::Explained { cause, .. } => cause.status(),
            Self::Engine(error) => match error {
                EngineError::Invalid(_) | EngineError::UnknownNodeType(_) => StatusCode::BAD_REQUEST,
                EngineError::NotFound => StatusCode::NOT_FOUND,
                EngineError::Stopping | EngineError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
                EngineError::Store(error) => store_status(error),
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    /// The code for programs, where there is one.
    fn code(&self) -> Option<&'static str> {
        match self {
            Self::Invalid { code, .. } | Self::NotFound { code, .. } => Some(code),
            Self::MalformedJson(_) => Some("MALFORMED_JSON"),
            Self::BodyTooLarge { .. } => Some("BODY_TOO_LARGE"),
            Self::MethodNotAllowed => Some("METHOD_NOT_ALLOWED"),
            Self::EmptyToken => Some("EMPTY_TOKEN"),
            Self::InvalidToken => Some("INVALID_TOKEN"),
            Self::RoleNotFound => Some("ROLE_NOT_FOUND_FOR_USER"),
            Self::ShuttingDown => Some("SHUTTING_DOWN"),
            Self::TooManyStreams => Some("TOO_MANY_STREAMS"),
            Self::PluginUnavailable { .. } | Self::RouteUnavailable { .. } => Some("PLUGIN_UNAVAILABLE"),
            Self::Plugins(error) => Some(change_code(error)),
            Self::Internal(_) => Some("INTERNAL"),
            Self::Explained { cause, .. } => cause.code(),
            Self::Store(error) | Self::Engine(EngineError::Store(error)) => store_code(error),
            Self::Engine(EngineError::NotFound) => Some("NOT_FOUND"),
            Self::Engine(EngineError::Unavailable(_)) => Some("NODE_UNAVAILABLE"),
            Self::Engine(EngineError::Stopping) => Some("SHUTTING_DOWN"),
            Self::Engine(_)
            | Self::Refused(_)
            | Self::RefusedByRoute { .. }
            | Self::Rejected { .. }
            | Self::WrongCredentials
            | Self::Forbidden
            | Self::WorkflowFailed
            | Self::WorkflowHangs => None,
        }
    }

    /// What the operator reads: the error and what caused it.
    pub(crate) fn causes(&self) -> String {
        crate::error::causes(self)
    }

    /// What the caller reads.
    fn public(&self) -> Value {
        if let Self::Explained { cause, considered } = self {
            let mut body = cause.public();
            body["explain"] = json!(considered);
            return body;
        }
        if let Self::Rejected { messages } = self {
            if messages.is_empty() {
                return json!({});
            }
            let errors: Vec<Value> = messages.iter().map(|message| json!({"message": message})).collect();
            return json!({"errors": errors});
        }
        let keeps_its_words = self.status() != StatusCode::INTERNAL_SERVER_ERROR
            || matches!(self, Self::WorkflowFailed | Self::WorkflowHangs | Self::Plugins(_));
        let code = self.code();
        let message = match code {
            Some(DATABASE_UNAVAILABLE) => "The database cannot be used at the moment, try again later".to_owned(),
            _ if keeps_its_words => self.to_string(),
            _ => "Internal server error".to_owned(),
        };
        match code {
            Some(code) => json!({"errors": [{"message": message, "code": code}]}),
            None => json!({"errors": [{"message": message}]}),
        }
    }
}

fn change_status(error: &ChangeError) -> StatusCode {
    match error {
        ChangeError::Unlisted { .. } => StatusCode::NOT_FOUND,
        ChangeError::ChangedMeanwhile { .. } => StatusCode::CONFLICT,
        ChangeError::Manifest(_) | ChangeError::Unwritable { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        ChangeError::NoManifest
        | ChangeError::Required { .. }
        | ChangeError::Disabled { .. }
        | ChangeError::NotLoaded(_)
        | ChangeError::WorkflowNotTaken { .. }
        | ChangeError::OutOfReach { .. } => StatusCode::BAD_REQUEST,
    }
}

fn change_code(error: &ChangeError) -> &'static str {
    match error {
        ChangeError::NoManifest => "NO_MANIFEST",
        ChangeError::Unlisted { .. } => "UNKNOWN_PLUGIN",
        ChangeError::Required { .. } => "PLUGIN_REQUIRED",
        ChangeError::Disabled { .. } => "PLUGIN_DISABLED",
        ChangeError::NotLoaded(_) => "PLUGIN_NOT_LOADED",
        ChangeError::WorkflowNotTaken { .. } => "WORKFLOW_NOT_TAKEN",
        ChangeError::OutOfReach { .. } => "LIBRARY_OUT_OF_REACH",
        ChangeError::ChangedMeanwhile { .. } => "MANIFEST_CHANGED",
        ChangeError::Manifest(_) | ChangeError::Unwritable { .. } => "MANIFEST_UNUSABLE",
    }
}

fn store_status(error: &StoreError) -> StatusCode {
    match error {
        StoreError::Invalid { .. } | StoreError::NotUnique { .. } => StatusCode::BAD_REQUEST,
        StoreError::NotFound { .. } => StatusCode::NOT_FOUND,
        StoreError::IllegalMove { .. } => StatusCode::CONFLICT,
        StoreError::Closed | StoreError::Unheard { .. } | StoreError::SourceUnavailable { .. } => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        other if other.is_transient() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn store_code(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::Invalid { code, .. } => (!KNOWN_WITHOUT_CODE.contains(code)).then_some(*code),
        StoreError::NotUnique { .. } => None,
        StoreError::NotFound { .. } => Some("NOT_FOUND"),
        StoreError::IllegalMove { .. } => Some("ILLEGAL_MOVE"),
        StoreError::Closed => Some("SHUTTING_DOWN"),
        StoreError::Unheard { .. } => Some("PLUGIN_UNAVAILABLE"),
        StoreError::SourceUnavailable { .. } => Some("DATA_SOURCE_UNAVAILABLE"),
        other if other.is_transient() => Some(DATABASE_UNAVAILABLE),
        _ => Some("INTERNAL"),
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let said: &Self = match &self {
            Self::Explained { cause, .. } => cause,
            plain => plain,
        };
        if status.is_server_error() {
            tracing::error!(status = status.as_u16(), "{}", said.causes());
        } else {
            tracing::debug!(status = status.as_u16(), "{self}");
        }
        (status, Json(self.public())).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: &ApiError, status: u16, body: &Value) {
        assert_eq!((error.status().as_u16(), &error.public()), (status, body));
    }

    #[test]
    fn bodies() {
        check(&ApiError::Forbidden, 403, &json!({"errors": [{"message": "No permissions"}]}));
        check(&ApiError::Rejected { messages: vec![] }, 400, &json!({}));
        check(&ApiError::Rejected { messages: vec!["no".into()] }, 400, &json!({"errors": [{"message": "no"}]}));
        check(
            &StoreError::NotUnique { field: "code".into() }.into(),
            400,
            &json!({"errors": [{"message": "code already exists"}]}),
        );
        check(
            &StoreError::Invalid { code: "UNKNOWN_FIELD", message: "no field x".into() }.into(),
            400,
            &json!({"errors": [{"message": "no field x", "code": "UNKNOWN_FIELD"}]}),
        );
        check(
            &StoreError::Closed.into(),
            503,
            &json!({"errors": [{"message": "the store is closed", "code": "SHUTTING_DOWN"}]}),
        );
    }

    #[test]
    fn causes_stay_inside() {
        let error = ApiError::Internal("secret path".into());
        check(&error, 500, &json!({"errors": [{"message": "Internal server error", "code": "INTERNAL"}]}));
    }
}
