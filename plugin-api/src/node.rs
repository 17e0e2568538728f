//! A node type that asks people, and decides what their answers mean.
//!
//! A [`TaskNode`] is asked twice about the same thing: whom its configuration means ([`TaskNode::people`]), and what is next
//! ([`TaskNode::step`]). Both are pure decisions. The host looks the people up, stores their tasks together with the node's
//! pending job, takes their answers, and asks for the next step in the transaction that stores an answer: of several who answer
//! at the same time each is counted once, and what a step says is stored with the answer or not at all.
//!
//! Since 1.2; hosts before it refuse a plugin that offers one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{error::PluginError, id::UserId, text::LocalizedText};

/// A node type that gives tasks to people.
pub trait TaskNode: Send + Sync + 'static {
    /// The configuration, after its variables are resolved: what a variable leads to may be of any type. A member `form` is the
    /// JSON Schema of a task's values, which the host checks.
    type Config: DeserializeOwned + JsonSchema;

    /// Describes the type; the same at every call.
    fn info(&self) -> NodeInfo;

    /// Checks what a JSON Schema cannot say. Variables are not resolved yet: where one stands, anything may come of it.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Invalid`] with a sentence for the person who configures.
    fn check(&self, config: &Value) -> Result<(), PluginError>;

    /// Says who is meant, when the node begins.
    ///
    /// # Errors
    ///
    /// The node's job ends in error, with the message.
    fn people(&self, config: &Self::Config) -> Result<People, PluginError>;

    /// Says what is next: when the node begins, after each answer to a task that is not [`TaskAction::Delegate`], and when the
    /// applicant wants to withdraw. The same configuration and progress give the same step.
    ///
    /// # Errors
    ///
    /// When the node begins, its job ends in error. Later nothing is changed, and whoever answered is told:
    /// [`crate::ErrorKind::Invalid`] is their mistake, anything else means that they can try again.
    fn step(&self, config: &Self::Config, progress: &Progress) -> Result<Step, PluginError>;
}

/// Describes a node type to people and to the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// The type's id, as in a node's `type`: lower-case letters, digits and `-`.
    pub id: String,
    /// What people see in a list.
    pub title: LocalizedText,
    /// One or two sentences.
    pub description: LocalizedText,
    /// The branches that may follow it; empty if there are none.
    #[serde(default)]
    pub branches: Vec<NodeBranch>,
}

/// A branch behind a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeBranch {
    /// Its index, as in a node's `branchIndex`.
    pub index: i64,
    /// What people see.
    pub title: LocalizedText,
}

/// Who is meant: users first, in their order, then those who have the roles. Each counts once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct People {
    /// Ids of users, records with an `id`, or lists of these, as deep as variables bring them.
    #[serde(default)]
    pub users: Value,
    /// Names of roles.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// How far a node has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Who is meant, in order, as it was when the node began.
    pub people: Vec<UserId>,
    /// Who started the workflow; nobody, if it was no user.
    #[serde(default)]
    pub applicant: Option<UserId>,
    /// The tasks so far, in the order in which they were given; none when the node begins. Of a task that was delegated there is
    /// only the one in its place.
    #[serde(default)]
    pub tasks: Vec<TaskProgress>,
    /// Whether the applicant asks to withdraw.
    #[serde(default)]
    pub withdraws: bool,
    /// The nodes of the same type that led here and can be gone back to, in the order in which they were passed. Since 1.3.
    #[serde(default)]
    pub earlier: Vec<EarlierNode>,
}

/// A node of the same execution that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierNode {
    /// Its key.
    pub key: String,
    /// What it was about, in a few words.
    #[serde(default)]
    pub title: String,
}

/// What has become of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskProgress {
    /// Whose it is.
    pub user: UserId,
    /// The round it was given in, as its [`Ask`] said.
    pub round: u32,
    /// How it was answered; `None` while it is open, and if it was closed.
    pub action: Option<TaskAction>,
    /// Whether it was closed without an answer.
    #[serde(default)]
    pub closed: bool,
    /// The values that came with the answer.
    #[serde(default)]
    pub values: Map<String, Value>,
    /// What was said beside them.
    #[serde(default)]
    pub comment: Option<String>,
    /// When it was answered, as RFC 3339 text.
    #[serde(default)]
    pub decided_at: Option<String>,
    /// With [`TaskAction::Return`]: the key of the node that it is to go back to, if one was named. Since 1.3.
    #[serde(default)]
    pub return_to: Option<String>,
}

/// An answer to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TaskAction {
    /// Yes; the values have to fit the form.
    Approve,
    /// No.
    Reject,
    /// Not like this: back to the applicant, or to an earlier node.
    Return,
    /// Somebody else shall answer. The host gives them the task; the node is not asked.
    Delegate,
    /// The applicant hands it in once more; the values have to fit the form.
    Resubmit,
    /// The applicant takes it back.
    Withdraw,
}

/// Tasks to be given: the same one to each user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// Who is asked.
    pub users: Vec<UserId>,
    /// The round, from 1: another number for tasks that are to be told from earlier ones.
    pub round: u32,
    /// What it is about, in a few words.
    pub title: String,
    /// What it is about, in more.
    #[serde(default)]
    pub description: String,
    /// The JSON Schema of the values of an answer; without members it takes any.
    #[serde(default)]
    pub form: Map<String, Value>,
    /// The answers that are possible.
    pub actions: Vec<TaskAction>,
    /// How many equal answers decide, for people to read; 0 if that cannot be said.
    #[serde(default)]
    pub approvals: u32,
    /// The same for rejections.
    #[serde(default)]
    pub rejections: u32,
}

/// What an application has come to, as its applicant sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// People are asked.
    Pending,
    /// The applicant is asked.
    Returned,
    /// Approved.
    Approved,
    /// Rejected.
    Rejected,
    /// Taken back by the applicant.
    Withdrawn,
}

/// What is next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Waiting for answers.
    Wait {
        /// What the application has come to.
        standing: Standing,
        /// Closes the tasks that are open, before others are given.
        close: bool,
        /// Tasks to be given.
        ask: Vec<Ask>,
    },
    /// The node is done; open tasks are closed.
    End {
        /// What the application has come to.
        standing: Standing,
        /// How the node's job ends.
        ending: Ending,
        /// Its result, which later nodes see: an object.
        result: Value,
        /// The branch that follows; the node behind it if there is none of this index.
        branch: Option<i64>,
    },
    /// The node is done, and the execution goes back to an earlier one, which begins anew; open tasks are closed. What was done
    /// from there on is kept, and done again. Since 1.3.
    Back {
        /// The key of one of [`Progress::earlier`].
        to: String,
        /// The node's result, an object.
        result: Value,
    },
}

/// How the job of a node ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// The execution goes on.
    Resolved,
    /// The execution ends as rejected.
    Rejected,
    /// The execution ends as canceled.
    Canceled,
}
