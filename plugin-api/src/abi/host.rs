//! The host's [`Services`], called by a plugin from its own threads, for as long as it keeps the object.
//!
//! Questions and answers are JSON text. A service that a later version adds is a later `Question`: the layout stays.

use std::sync::Arc;

use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RStr, RString},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    error::{AbiResult, answer, read, result, write},
    guard::guarded,
};
use crate::{
    error::PluginError,
    id::ExecutionId,
    service::{QUESTION_BYTES_MAX, ReadRecord, ReadRecords, RecordPage, Services, StartWorkflow},
};

/// The host's services, owned by the plugin.
pub type HostObject = RawHost_TO<RBox<()>>;

/// The host's side of [`Services`]. Since 1.2.
#[sabi_trait]
pub trait RawHost: Send + Sync + 'static {
    /// Answers a `Question`. The frozen prefix ends here.
    #[sabi(last_prefix_field)]
    fn ask(&self, question: RStr<'_>) -> AbiResult<RString>;
}

/// What a plugin may ask, one for each method of [`Services`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Question {
    Record(ReadRecord),
    Records(ReadRecords),
    StartWorkflow(StartWorkflow),
}

struct HostProvider(Arc<dyn Services>);

impl RawHost for HostProvider {
    fn ask(&self, question: RStr<'_>) -> AbiResult<RString> {
        answer(guarded("the host's services", || {
            if question.len() > QUESTION_BYTES_MAX {
                return Err(PluginError::invalid(format!("the question is longer than {QUESTION_BYTES_MAX} bytes")));
            }
            let question = serde_json::from_str(question.as_str()).map_err(|error| {
                PluginError::unavailable(format!("This host does not understand the question: {error}"))
            })?;
            match question {
                Question::Record(question) => write("record", &self.0.record(question)?),
                Question::Records(question) => write("records", &self.0.records(question)?),
                Question::StartWorkflow(question) => write("execution's id", &self.0.start_workflow(question)?),
            }
        }))
    }
}

/// Offers a host's services.
pub(crate) fn provide(services: Arc<dyn Services>) -> HostObject {
    RawHost_TO::from_value(HostProvider(services), TD_Opaque)
}

/// The services as a plugin calls them.
pub(crate) struct HostClient(pub(crate) HostObject);

impl HostClient {
    fn ask<T: DeserializeOwned>(&self, question: &Question) -> Result<T, PluginError> {
        read("host's answer", &result(self.0.ask(write("question", question)?.as_rstr()))?)
    }
}

impl Services for HostClient {
    fn record(&self, question: ReadRecord) -> Result<Option<Map<String, Value>>, PluginError> {
        self.ask(&Question::Record(question))
    }

    fn records(&self, question: ReadRecords) -> Result<RecordPage, PluginError> {
        self.ask(&Question::Records(question))
    }

    fn start_workflow(&self, question: StartWorkflow) -> Result<ExecutionId, PluginError> {
        self.ask(&Question::StartWorkflow(question))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::WorkflowId, schema::CollectionRef, service::Host};

    /// Answers with what it was asked, and panics for the workflow 13.
    struct Echo;

    impl Services for Echo {
        fn record(&self, question: ReadRecord) -> Result<Option<Map<String, Value>>, PluginError> {
            match question.key {
                Value::Null => Ok(None),
                key => Ok(Some(Map::from_iter([(question.collection.to_string(), key)]))),
            }
        }

        fn start_workflow(&self, question: StartWorkflow) -> Result<ExecutionId, PluginError> {
            assert!(question.workflow != WorkflowId(13), "unlucky");
            Ok(ExecutionId(question.workflow.0))
        }
    }

    fn across() -> Host {
        Host::new(HostClient(provide(Arc::new(Echo))))
    }

    #[test]
    fn questions_and_answers_cross() {
        let posts = CollectionRef::parse("posts");
        let found = across().record(ReadRecord::new(posts.clone(), 7)).expect("an answer");
        assert_eq!(found, Some(Map::from_iter([("posts".to_owned(), Value::from(7))])));
        assert_eq!(across().record(ReadRecord::new(posts.clone(), Value::Null)), Ok(None));
        let large = WorkflowId(9_007_199_254_740_991);
        assert_eq!(across().start_workflow(StartWorkflow::new(large, Value::Null)), Ok(ExecutionId(large.0)));
        let error = across().records(ReadRecords::new(posts)).expect_err("not implemented");
        assert_eq!(error, PluginError::unavailable("This host does not have the service \"records\""));
    }

    #[test]
    fn a_panic_of_the_host_is_an_error_of_the_call() {
        let error = across().start_workflow(StartWorkflow::new(WorkflowId(13), Value::Null)).expect_err("a panic");
        assert_eq!(error, PluginError::fault("panicked in the host's services: unlucky"));
    }

    #[test]
    fn what_is_too_long_or_unknown_is_refused() {
        let long = "x".repeat(QUESTION_BYTES_MAX);
        let error = across().start_workflow(StartWorkflow::new(WorkflowId(1), long)).expect_err("too long");
        assert_eq!(error, PluginError::invalid("the question is longer than 1048576 bytes"));
        let error = result(provide(Arc::new(Echo)).ask("{\"teleport\":{}}".into())).expect_err("unknown");
        assert!(error.message.starts_with("This host does not understand the question: unknown variant `teleport`"));
    }
}
