//! A plugin's [`crate::ClockHandler`]: configurations, questions and answers are JSON text.

use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RStr, RString},
};
use serde_json::Value;

use super::{
    error::{AbiResult, answer, read, result, write},
    guard::{GuardedDrop, guarded},
};
use crate::{
    clock::{ClockAnswer, ClockQuestion, ClockWatch},
    erased::ErasedClock,
    error::PluginError,
};

/// A handler that the host owns.
pub type ClockObject = RawClock_TO<RBox<()>>;

/// The plugin's side of a [`crate::ClockHandler`]. Since 1.3.
#[sabi_trait]
pub trait RawClock: Send + Sync + 'static {
    /// Takes a configuration, answers with an optional [`ClockWatch`].
    fn watch(&self, config: RStr<'_>) -> AbiResult<RString>;
    /// Takes a configuration and a [`ClockQuestion`], answers with a [`ClockAnswer`]. The prefix of 1.3 ends here.
    #[sabi(last_prefix_field)]
    fn due(&self, config: RStr<'_>, question: RStr<'_>) -> AbiResult<RString>;
}

struct ClockProvider(GuardedDrop<Box<dyn ErasedClock>>);

impl RawClock for ClockProvider {
    fn watch(&self, config: RStr<'_>) -> AbiResult<RString> {
        answer(guarded("watch", || write("watched records", &self.0.get().watch(config.as_str())?)))
    }

    fn due(&self, config: RStr<'_>, question: RStr<'_>) -> AbiResult<RString> {
        answer(guarded("due", || {
            let question = read("question", question.as_str())?;
            write("answer of the clock", &self.0.get().due(config.as_str(), &question)?)
        }))
    }
}

/// Offers a plugin's handler.
pub(crate) fn provide(handler: Box<dyn ErasedClock>) -> ClockObject {
    RawClock_TO::from_value(ClockProvider(GuardedDrop::new("dropping a clock", handler)), TD_Opaque)
}

/// A handler as the host calls it.
pub struct ClockClient(ClockObject);

impl ClockClient {
    pub(crate) fn new(handler: ClockObject) -> Self {
        Self(handler)
    }

    /// Asks which records a workflow with this configuration waits with.
    ///
    /// # Errors
    ///
    /// The configuration does not fit, or the plugin is at fault.
    pub fn watch(&self, config: &Value) -> Result<Option<ClockWatch>, PluginError> {
        read("watched records", &result(self.0.watch(config.to_string().as_str().into()))?)
    }

    /// Asks what is due.
    ///
    /// # Errors
    ///
    /// The configuration does not fit, or the plugin is at fault.
    pub fn due(&self, config: &Value, question: &ClockQuestion) -> Result<ClockAnswer, PluginError> {
        let (config, question) = (config.to_string(), write("question", question)?);
        read("answer of the clock", &result(self.0.due(config.as_str().into(), question.as_rstr()))?)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::{clock::ClockHandler, erased::TypedClock, schema::CollectionRef};

    /// Every so many milliseconds; panics for zero.
    struct Every;

    #[derive(Deserialize)]
    struct Config {
        every: i64,
    }

    impl ClockHandler for Every {
        type Config = Config;

        fn watch(&self, config: &Config) -> Result<Option<ClockWatch>, PluginError> {
            let collection = CollectionRef::parse("posts");
            let watch = ClockWatch { collection, fields: vec!["publishedAt".to_owned()], preloads: vec![] };
            Ok((config.every == 1).then_some(watch))
        }

        fn due(&self, config: &Config, question: &ClockQuestion) -> Result<ClockAnswer, PluginError> {
            let last = question.now_ms / config.every * config.every;
            let due_ms = if last > question.settled_ms { vec![last] } else { vec![] };
            Ok(ClockAnswer { due_ms, next_ms: Some(last + config.every) })
        }
    }

    #[test]
    fn questions_and_answers_cross() {
        let client = ClockClient::new(provide(Box::new(TypedClock(Every))));
        assert_eq!(client.watch(&json!({"every": 5})), Ok(None));
        let watched = client.watch(&json!({"every": 1})).expect("an answer").expect("a collection");
        assert_eq!((watched.collection.name(), &*watched.fields), ("posts", &["publishedAt".to_owned()][..]));
        let answer = client.due(&json!({"every": 5}), &ClockQuestion::new(12, 7));
        assert_eq!(answer, Ok(ClockAnswer { due_ms: vec![10], next_ms: Some(15) }));
        let error = client.due(&json!({"every": 0}), &ClockQuestion::new(12, 7)).expect_err("a panic");
        assert!(error.message.starts_with("panicked in due: "), "{error:?}");
        assert!(client.watch(&json!({})).is_err(), "a configuration that does not fit");
    }
}
