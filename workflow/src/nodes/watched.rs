//! Watches a run of a node from outside: a span, and how long it took.
//!
//! A run that writes is two parts, the second one in the writer's task; both belong to the span, and the time between them
//! counts.

use std::{borrow::Cow, time::Instant};

use futures::future::BoxFuture;
use store::{JobId, Tx};
use tracing::{Instrument, Span, field};

use super::{Effect, NodeError, NodeResult, Run, Work};

/// A run of a node that is under way.
struct Watch {
    node_type: Cow<'static, str>,
    begun: Instant,
    span: Span,
}

impl Watch {
    fn end(&self, result: Result<&NodeResult, &NodeError>) {
        let status = result.map_or_else(|_error| "error".to_owned(), |result| result.status.to_string());
        self.span.record("status", status.as_str());
        metrics::histogram!("workflow_node_duration_seconds", "type" => self.node_type.clone(), "status" => status)
            .record(self.begun.elapsed());
    }

    fn around(self, work: Work) -> Work {
        Box::new(move |tx: &mut Tx, job: JobId| -> BoxFuture<'_, Result<NodeResult, NodeError>> {
            Box::pin(async move {
                let result = work(tx, job).instrument(self.span.clone()).await;
                self.end(result.as_ref());
                result
            })
        })
    }
}

/// Lets a node run and watches it.
pub(super) async fn watched(
    node_type: Cow<'static, str>,
    run: &Run<'_>,
    running: impl Future<Output = Result<Effect, NodeError>>,
) -> Result<Effect, NodeError> {
    let span = tracing::info_span!("node", "type" = &*node_type, key = run.node.key, status = field::Empty);
    let watch = Watch { node_type, begun: Instant::now(), span };
    let effect = running.instrument(watch.span.clone()).await;
    match &effect {
        Ok(Effect::Done(result)) => watch.end(Ok(result)),
        Err(error) => watch.end(Err(error)),
        // Its end is yet to come.
        Ok(_) => {}
    }
    match effect {
        Ok(Effect::Write(work)) => Ok(Effect::Write(watch.around(work))),
        Ok(Effect::WriteElsewhere(store, work)) => Ok(Effect::WriteElsewhere(store, watch.around(work))),
        other => other,
    }
}
