//! What time it is: the scripted host keeps a mark for a workflow that starts by the clock, and asks the plugin what is due.

use plugin_api::{ClockQuestion, ClockWatch, PluginError, WorkflowId};
use serde_json::{Map, Value};

use crate::{TestHost, inside::calling};

/// Most questions while time passes: each hour of a year, and some.
const QUESTIONS_MAX: usize = 10_000;

/// How far a workflow has come that starts by the clock, or one record that it waits with. Moments are milliseconds since 1970.
///
/// A host keeps it in its database and asks the plugin about it again and again; so does [`TestHost::pass_time`].
#[derive(Debug, Clone, PartialEq)]
pub struct TestMark {
    /// The workflow.
    pub workflow: WorkflowId,
    /// Everything until then is settled.
    pub settled_ms: i64,
    /// How many executions were started so far.
    pub runs: u64,
    /// When the host asks next; `None`: not before the workflow or the record changes.
    pub next_ms: Option<i64>,
    record: Option<Map<String, Value>>,
}

impl TestMark {
    /// A workflow that is enabled at this moment.
    pub fn new(workflow: WorkflowId, enabled_ms: i64) -> Self {
        Self { workflow, settled_ms: enabled_ms, runs: 0, next_ms: Some(enabled_ms), record: None }
    }

    /// For a record with these fields, an object, which is there already.
    ///
    /// # Panics
    ///
    /// It is no object.
    #[must_use]
    #[track_caller]
    pub fn of_record(mut self, record: &Value) -> Self {
        self.record = Some(object(record));
        self
    }

    /// Gives the record other fields. What they mean counts from this moment on.
    ///
    /// # Panics
    ///
    /// They are no object.
    #[track_caller]
    pub fn change_record(&mut self, now_ms: i64, record: &Value) {
        self.record = Some(object(record));
        self.settled_ms = self.settled_ms.max(now_ms);
        self.next_ms = Some(now_ms);
    }

    /// The question about it, with the fields of the record that are watched.
    fn question(&self, now_ms: i64, watch: Option<ClockWatch>) -> Result<ClockQuestion, PluginError> {
        let mut question = ClockQuestion::new(now_ms, self.settled_ms);
        question.runs = self.runs;
        question.record = match (watch, &self.record) {
            (None, None) => None,
            (Some(watch), Some(record)) => {
                let value = |field: String| (field.clone(), record.get(&field).cloned().unwrap_or_default());
                Some(watch.fields.into_iter().map(value).collect())
            }
            (Some(watch), None) => {
                return Err(PluginError::invalid(format!("the mark has no record of {}", watch.collection)));
            }
            (None, Some(_)) => {
                return Err(PluginError::invalid("the mark has a record, and the workflow watches none"));
            }
        };
        Ok(question)
    }
}

impl TestHost {
    /// The records that an enabled workflow waits with; `None` if it waits by itself.
    ///
    /// # Errors
    ///
    /// The workflow is not enabled, nothing keeps the time of its type, or the plugin is at fault.
    pub fn watch(&self, workflow: WorkflowId) -> Result<Option<ClockWatch>, PluginError> {
        let (clock, config) = self.clock(workflow)?;
        calling(|| clock.watch(config))
    }

    /// Asks once, at this moment, as a host does that was down until then. Answers the moments that start an execution each; the mark
    /// is advanced.
    ///
    /// # Errors
    ///
    /// Those of [`Self::watch`]; the mark has no record though the workflow waits with some, or the other way round; the answer
    /// is not about the moments that were asked about. The mark is left as it was, and the host would ask again.
    pub fn due(&self, mark: &mut TestMark, now_ms: i64) -> Result<Vec<i64>, PluginError> {
        let question = mark.question(now_ms, self.watch(mark.workflow)?)?;
        let (clock, config) = self.clock(mark.workflow)?;
        let answer = calling(|| clock.due(config, &question))?;
        mark.settled_ms = mark.settled_ms.max(now_ms);
        mark.runs += answer.due_ms.len() as u64;
        mark.next_ms = answer.next_ms;
        Ok(answer.due_ms)
    }

    /// Lets time pass until this moment, that one included: asks whenever the mark says so. Answers all moments that start an
    /// execution each.
    ///
    /// # Errors
    ///
    /// Those of [`Self::due`]; so much time that the plugin would be asked 10,000 times.
    pub fn pass_time(&self, mark: &mut TestMark, until_ms: i64) -> Result<Vec<i64>, PluginError> {
        let mut due_ms = Vec::new();
        for _ in 0..QUESTIONS_MAX {
            match mark.next_ms.filter(|next_ms| *next_ms <= until_ms) {
                Some(next_ms) => due_ms.extend(self.due(mark, next_ms)?),
                None => return Ok(due_ms),
            }
        }
        Err(PluginError::invalid(format!("{QUESTIONS_MAX} questions, and there are more: let less time pass")))
    }
}

#[track_caller]
fn object(record: &Value) -> Map<String, Value> {
    record.as_object().cloned().unwrap_or_else(|| panic!("a record is an object, not {record}"))
}
