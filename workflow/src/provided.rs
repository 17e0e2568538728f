//! Node types that others provide: they ask people, and decide what the answers mean.
//!
//! The engine knows them by these traits alone, and asks for a type anew each time: types may come, go and be replaced while
//! executions wait. What they decide is pure; the engine stores it, in the transaction of the answer that it is about.

use std::sync::Arc;

use serde_json::{Map, Value};
use store::{ApprovalStatus, JobStatus, UserId};

pub use crate::tasks::earlier;

/// Where provided node types are found.
pub trait ProvidedNodes: Send + Sync + 'static {
    /// Finds one by its name, as in a node's `type`.
    ///
    /// # Errors
    ///
    /// [`ProvidedError::Unknown`], or [`ProvidedError::Unavailable`] for one that is out of order.
    fn find(&self, name: &str) -> Result<Arc<dyn ProvidedNode>, ProvidedError>;

    /// The names of all there are now, with the JSON Schema of their configuration.
    fn all(&self) -> Vec<(String, Value)>;
}

/// A provided node type. Calls are made within transactions, and have to be quick.
pub trait ProvidedNode: Send + Sync {
    /// The JSON Schema of its configuration.
    fn config_schema(&self) -> &Value;

    /// Checks a configuration whose variables are not resolved.
    ///
    /// # Errors
    ///
    /// [`ProvidedError`].
    fn check(&self, config: &Value) -> Result<(), ProvidedError>;

    /// Says whom a resolved configuration means.
    ///
    /// # Errors
    ///
    /// [`ProvidedError`].
    fn people(&self, config: &Value) -> Result<Meant, ProvidedError>;

    /// Says what is next.
    ///
    /// # Errors
    ///
    /// [`ProvidedError`]; [`ProvidedError::Refused`] for an answer that is not possible.
    fn step(&self, config: &Value, progress: &Progress) -> Result<NextStep, ProvidedError>;
}

/// Why a provided node type has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProvidedError {
    /// Nobody provides such a type.
    #[error("Node type \"{0}\" is not registered")]
    Unknown(String),
    /// The mistake of who configures or answers, in one sentence.
    #[error("{0}")]
    Refused(String),
    /// It cannot be asked now, and can be later.
    #[error("{0}")]
    Unavailable(String),
    /// It is at fault.
    #[error("{0}")]
    Fault(String),
}

/// Whom a configuration means: users first, in their order, then those who have the roles.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Meant {
    /// Ids of users, records with an `id`, or lists of these.
    pub users: Value,
    /// Names of roles.
    pub roles: Vec<String>,
}

/// How far a node has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Who is meant, in order, as it was when the node began.
    pub people: Vec<UserId>,
    /// Who started the workflow.
    pub applicant: Option<UserId>,
    /// The tasks so far; of one that was delegated, only the one in its place.
    pub tasks: Vec<store::Task>,
    /// Whether the applicant asks to withdraw.
    pub withdraws: bool,
    /// The nodes of the same type that led here, in their order: one can be gone back to.
    pub earlier: Vec<Earlier>,
}

/// A node that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// Its key.
    pub key: String,
    /// What it was about, in a few words.
    pub title: String,
}

/// Tasks to be given: the same one to each user.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Who is asked.
    pub users: Vec<UserId>,
    /// The round, from 1.
    pub round: u32,
    /// What it is about, in a few words.
    pub title: String,
    /// What it is about, in more.
    pub description: String,
    /// The JSON Schema of the values of an approval.
    pub form: Map<String, Value>,
    /// The possible answers, by name.
    pub actions: Vec<String>,
    /// How many equal answers decide, for people to read: approvals, rejections.
    pub decisive: (u32, u32),
}

/// What is next.
#[derive(Debug, Clone, PartialEq)]
pub enum NextStep {
    /// Waiting for answers.
    Wait {
        /// What the application has come to.
        status: ApprovalStatus,
        /// Closes the tasks that are open, before others are given.
        close: bool,
        /// Tasks to be given.
        ask: Vec<Asked>,
    },
    /// The job ends.
    End {
        /// What the application has come to.
        status: ApprovalStatus,
        /// How the job ends.
        job: JobStatus,
        /// Its result.
        result: Value,
        /// The branch that follows.
        branch: Option<i64>,
    },
    /// The job ends, and the execution goes back to an earlier node.
    Back {
        /// The key of one of [`Progress::earlier`].
        to: String,
        /// The job's result.
        result: Value,
    },
}
