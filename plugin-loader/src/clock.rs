//! A clock of a plugin, as those who keep the time ask it.

use plugin_api::{ClockAnswer, ClockQuestion, ClockWatch, PluginError, abi::clock::ClockClient, clock::DUE_MAX};
use serde_json::Value;

/// A clock of a plugin. What breaks the rules of an answer does not come out of it.
pub struct Clock(pub(crate) ClockClient);

impl Clock {
    /// Asks which records a workflow with this configuration waits with.
    ///
    /// # Errors
    ///
    /// The configuration does not fit, or the plugin is at fault.
    pub fn watch(&self, config: &Value) -> Result<Option<ClockWatch>, PluginError> {
        self.0.watch(config)
    }

    /// Asks what is due.
    ///
    /// # Errors
    ///
    /// The configuration does not fit, or the plugin is at fault: also if it calls due what it was not asked about, or wants to be
    /// asked again in the past.
    pub fn due(&self, config: &Value, question: &ClockQuestion) -> Result<ClockAnswer, PluginError> {
        self.0.due(config, question).and_then(|answer| in_order(question, answer))
    }
}

/// An answer about other moments than those it was asked about would start one twice, or never end.
fn in_order(question: &ClockQuestion, answer: ClockAnswer) -> Result<ClockAnswer, PluginError> {
    let due = &answer.due_ms;
    let is_asked_about = |moment: &i64| *moment > question.settled_ms && *moment <= question.now_ms;
    let rises = due.iter().zip(due.iter().skip(1)).all(|(earlier, later)| earlier < later);
    if due.len() > DUE_MAX || !rises || !due.iter().all(is_asked_about) {
        return Err(PluginError::fault("what it calls due is not what it was asked about"));
    }
    if answer.next_ms.is_some_and(|next| next <= question.now_ms) {
        return Err(PluginError::fault("it wants to be asked again in the past"));
    }
    Ok(answer)
}
