//! What the services do that plugins call: one file each. Who may call is decided before, in `plugins/services`.
//!
//! A service is added from the outside in: a name in `plugin_api::Service`, a method of `plugin_api::Services` and of
//! `plugins::Backend`, and a file here.

mod records;
mod workflows;

use std::sync::Arc;

use plugin_api::{ExecutionId, PluginError, ReadRecord, ReadRecords, RecordPage, StartWorkflow};
use store::{Record, StoreError};

use crate::{
    host::Host,
    http::error::ApiError,
    plugins::{Answering, Backend, Caller},
};

impl Backend for Host {
    fn record(self: Arc<Self>, question: ReadRecord) -> Answering<Option<Record>> {
        Box::pin(async move { records::one(&self, question).await.map_err(refusal) })
    }

    fn records(self: Arc<Self>, question: ReadRecords) -> Answering<RecordPage> {
        Box::pin(async move { records::page(&self, question).await.map_err(refusal) })
    }

    fn start_workflow(self: Arc<Self>, caller: Caller, question: StartWorkflow) -> Answering<ExecutionId> {
        Box::pin(async move { workflows::start(&self, caller, question).await.map_err(refusal) })
    }
}

/// What an error is to a plugin: its own mistake in the words that an HTTP caller reads, or something that it may try again.
/// The rest is the operator's, and told in the log.
fn refusal(error: ApiError) -> PluginError {
    match error {
        ApiError::Store(StoreError::Closed) | ApiError::ShuttingDown => {
            PluginError::unavailable("The host is stopping")
        }
        error if error.status().is_server_error() => {
            tracing::error!("a service failed: {}", error.causes());
            PluginError::unavailable("The host's service failed")
        }
        error => PluginError::invalid(error.to_string()),
    }
}
