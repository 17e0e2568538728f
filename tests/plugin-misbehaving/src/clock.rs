//! The clock: fails as long as a file is there.

use std::path::PathBuf;

use plugin_api::{ClockAnswer, ClockHandler, ClockQuestion, ClockWatch, PluginError};

use crate::trigger::Config;

pub(crate) struct MisbehavingClock(pub(crate) PathBuf);

impl ClockHandler for MisbehavingClock {
    type Config = Config;

    fn watch(&self, _: &Config) -> Result<Option<ClockWatch>, PluginError> {
        Ok(None)
    }

    fn due(&self, _: &Config, question: &ClockQuestion) -> Result<ClockAnswer, PluginError> {
        assert!(!self.0.exists(), "as told in a clock");
        let due_ms = if question.now_ms > question.settled_ms { vec![question.now_ms] } else { vec![] };
        Ok(ClockAnswer { due_ms, next_ms: Some(question.now_ms + 1_000) })
    }
}
