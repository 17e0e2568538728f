//! The clock: fails as long as a file is there, and answers what it is told to.

use std::path::PathBuf;

use plugin_api::{ClockAnswer, ClockHandler, ClockQuestion, ClockWatch, PluginError};

use crate::{settings::Told, trigger::Config};

pub(crate) struct MisbehavingClock {
    pub(crate) fails_while: PathBuf,
    pub(crate) tells: Told,
}

impl ClockHandler for MisbehavingClock {
    type Config = Config;

    fn watch(&self, _: &Config) -> Result<Option<ClockWatch>, PluginError> {
        Ok(None)
    }

    fn due(&self, _: &Config, question: &ClockQuestion) -> Result<ClockAnswer, PluginError> {
        assert!(!self.fails_while.exists(), "as told in a clock");
        let (now, settled) = (question.now_ms, question.settled_ms);
        let due_ms = match self.tells {
            Told::Settled => vec![settled],
            Told::Future => vec![now + 1],
            Told::Twice => vec![now, now],
            Told::Now | Told::AskedInThePast | Told::AskedForever if now > settled => vec![now],
            Told::Now | Told::AskedInThePast | Told::AskedForever => vec![],
        };
        let next_ms = match self.tells {
            Told::AskedInThePast => now,
            Told::AskedForever => now + 1,
            Told::Now | Told::Settled | Told::Future | Told::Twice => now + 1_000,
        };
        Ok(ClockAnswer { due_ms, next_ms: Some(next_ms) })
    }
}
