//! Workflows that start by the clock: a plugin says what is due, and the host keeps the time.
//!
//! The host owns the clock, the database and the promise that each moment starts its workflow once. It keeps, for each workflow and
//! for each record that a workflow waits with, up to when everything is settled; asks the handler when a moment may have come; and stores
//! the executions and the new watermark in one transaction. A handler is pure: it keeps nothing between two questions, and answers
//! the same question in the same way.
//!
//! Moments are milliseconds since 1970.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    error::PluginError,
    schema::{AssociationPath, CollectionRef},
};

/// Most moments of one answer.
pub const DUE_MAX: usize = 1_000;

/// What a host asks about one workflow, or about one record of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ClockQuestion {
    /// What time it is.
    pub now_ms: i64,
    /// Everything until then, that moment included, is settled: it was started, passed over, or lies before the workflow was
    /// enabled or the record's fields got their values.
    pub settled_ms: i64,
    /// How many executions were started so far, for this version of the workflow and this record.
    pub runs: u64,
    /// The watched fields of the record; `None` for a workflow that watches no collection.
    #[serde(default)]
    pub record: Option<Map<String, Value>>,
}

impl ClockQuestion {
    /// Asks about a workflow that has not run yet and watches no collection; set the public fields that matter.
    pub fn new(now_ms: i64, settled_ms: i64) -> Self {
        Self { now_ms, settled_ms, runs: 0, record: None }
    }
}

/// What is due.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClockAnswer {
    /// The moments that start an execution each: rising, later than what is settled, not later than now, at most [`DUE_MAX`].
    /// Everything until now is settled by the answer, whether it stands here or not.
    pub due_ms: Vec<i64>,
    /// When to ask again, later than now; `None`: not before the workflow or the record changes.
    pub next_ms: Option<i64>,
}

/// The records that a workflow waits with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockWatch {
    /// Their collection. Each of its records is asked about on its own.
    pub collection: CollectionRef,
    /// The fields that decide when a record is due. They come with each question; when one of them changes, the host asks again.
    pub fields: Vec<String>,
    /// Associations loaded into the `data` of an execution.
    pub preloads: Vec<AssociationPath>,
}

/// Says when workflows of one trigger type are due.
///
/// Called inside the transaction that stores the executions, for one workflow at a time. It must not block, and it must not look at
/// a clock of its own.
pub trait ClockHandler: Send + Sync + 'static {
    /// The configuration of the trigger type.
    type Config: DeserializeOwned;

    /// Says which records a workflow waits with; `None` if it waits by itself.
    ///
    /// # Errors
    ///
    /// An error, or a panic, is reported against the plugin; the host asks again later.
    fn watch(&self, config: &Self::Config) -> Result<Option<ClockWatch>, PluginError>;

    /// Says what is due. Nodes find the moment as `$context.date`, and the record, if there is one, as `$context.data`.
    ///
    /// # Errors
    ///
    /// An error, or a panic, starts nothing and settles nothing. It is reported against the plugin, and the host asks again later.
    fn due(&self, config: &Self::Config, question: &ClockQuestion) -> Result<ClockAnswer, PluginError>;
}
