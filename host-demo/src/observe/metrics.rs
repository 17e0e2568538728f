//! Metrics as a page for Prometheus, on an address of its own.
//!
//! Counters and histograms are written where things happen; the figures of the queue are read when the page is asked for.
//! Labels name what there are few of (states, node types, plugins, HTTP statuses), never records, users or executions.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use store::StoreError;
use tokio::net::TcpListener;

use crate::{
    error::HostError,
    host::{Host, STREAMS_MAX},
    plugins::PluginState,
};

/// Time between two tidyings of the histograms, which otherwise keep every sample until the next scrape.
const UPKEEP: Duration = Duration::from_secs(5);

/// From a point query to a script that takes its minute.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// Up to what one commit takes.
const REQUESTS: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// The process's metrics.
#[derive(Clone)]
pub(crate) struct Metrics(PrometheusHandle);

impl Metrics {
    /// Begins to count. Once per process, before anything that is to be counted.
    ///
    /// # Errors
    ///
    /// Somebody counts already.
    pub(crate) fn install() -> Result<Self, BuildError> {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .set_buckets_for_metric(Matcher::Full("store_commit_requests".to_owned()), &REQUESTS)?
            .install_recorder()?;
        describe();
        Ok(Self(handle))
    }

    /// Serves the page until the server stops; answers where.
    ///
    /// # Errors
    ///
    /// The address cannot be listened on.
    pub(crate) async fn serve(self, host: &Arc<Host>, address: SocketAddr) -> Result<SocketAddr, HostError> {
        let unusable = |source| HostError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(unusable)?;
        let local_addr = listener.local_addr().map_err(unusable)?;
        let router = Router::new().route("/metrics", get(page)).with_state((Arc::clone(host), self.0.clone()));
        let stopping = host.stopping();
        let serving = axum::serve(listener, router).with_graceful_shutdown(stopping.clone().cancelled_owned());
        host.requests.spawn(serving.into_future());
        host.requests.spawn(async move {
            let mut ticks = tokio::time::interval(UPKEEP);
            loop {
                tokio::select! {
                    () = stopping.cancelled() => return,
                    _ = ticks.tick() => self.0.run_upkeep(),
                }
            }
        });
        Ok(local_addr)
    }
}

async fn page(State((host, handle)): State<(Arc<Host>, PrometheusHandle)>) -> Response {
    if let Err(error) = read(&host).await {
        tracing::warn!(%error, "the figures of the queue could not be read");
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()).into_response()
}

/// Reads what is a state and no event.
async fn read(host: &Host) -> Result<(), StoreError> {
    let figures = host.store.read().await?.queue_figures().await?;
    let oldest = figures.oldest_queued_at.as_deref().and_then(|at| chrono::DateTime::parse_from_rfc3339(at).ok());
    let age_ms = oldest.map_or(0, |at| host.store.clock().now_ms() - at.timestamp_millis());
    let age = Duration::from_millis(u64::try_from(age_ms).unwrap_or(0));
    gauge!("workflow_queue_executions").set(wide(figures.queued));
    gauge!("workflow_queue_oldest_age_seconds").set(age.as_secs_f64());
    gauge!("workflow_claimed_executions").set(wide(figures.claimed));
    gauge!("workflow_postponed_executions").set(wide(figures.postponed));
    gauge!("workflow_dead_letters").set(wide(figures.dead_letters));
    gauge!("workflow_waiting_jobs").set(wide(figures.waiting_jobs));
    gauge!("workflow_open_tasks").set(wide(figures.open_tasks));
    let streams = STREAMS_MAX.saturating_sub(host.streams.available_permits());
    for report in host.plugins.current().status() {
        let is = |state: PluginState| if report.state == state { 1.0 } else { 0.0 };
        let (loaded, suspended) = (is(PluginState::Loaded) + is(PluginState::Suspended), is(PluginState::Suspended));
        gauge!("plugin_loaded", "plugin" => report.id.clone()).set(loaded);
        gauge!("plugin_suspended", "plugin" => report.id.clone()).set(suspended);
    }
    gauge!("http_event_streams").set(wide(u64::try_from(streams).unwrap_or(u64::MAX)));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts are far below 2^53")]
fn wide(count: u64) -> f64 {
    count as f64
}

/// What stands in the page as help. Kept in step with docs/operations.md by a test.
fn describe() {
    describe_gauge!("workflow_queue_executions", "Executions that wait for a worker");
    describe_gauge!("workflow_queue_oldest_age_seconds", Unit::Seconds, "How long the oldest of them has waited");
    describe_gauge!("workflow_claimed_executions", "Executions that the process holds");
    describe_gauge!("workflow_postponed_executions", "Repetitions of failed executions that wait for their time");
    describe_gauge!("workflow_dead_letters", "Executions that failed for good and are kept");
    describe_gauge!("workflow_waiting_jobs", "Pending jobs that wait for a moment");
    describe_gauge!("workflow_open_tasks", "Tasks that people have not decided");
    describe_counter!("workflow_executions_queued_total", "Executions stored");
    describe_counter!("workflow_executions_repeated_total", "Executions stored to repeat one that has ended");
    describe_counter!("workflow_executions_started_total", "Executions begun for the first time");
    describe_counter!("workflow_executions_resumed_total", "Executions taken up again");
    describe_counter!("workflow_executions_ended_total", "Executions ended, by final state");
    describe_counter!("workflow_executions_dropped_total", "Executions deleted before they began");
    describe_histogram!("workflow_execution_wait_seconds", Unit::Seconds, "From queued to begun");
    describe_histogram!("workflow_execution_duration_seconds", Unit::Seconds, "From begun to ended, waiting included");
    describe_histogram!("workflow_node_duration_seconds", Unit::Seconds, "One run of a node, by type and outcome");
    describe_histogram!("store_commit_requests", "Requests that shared a commit");
    describe_histogram!(
        "store_commit_duration_seconds",
        Unit::Seconds,
        "One transaction of the writer, commit included"
    );
    describe_counter!("store_commit_failures_total", "Transactions that could not be committed");
    describe_counter!(
        "record_changes_undone_total",
        "Changes undone by workflows within their transaction, by verdict"
    );
    describe_counter!(
        "data_source_messages_relayed_total",
        "Messages in outboxes of further data sources that whoever made the change did not take up"
    );
    describe_gauge!("plugin_loaded", "1 if the plugin is loaded");
    describe_gauge!("plugin_suspended", "1 if the plugin is loaded, and left out because it failed too often");
    describe_counter!("plugin_faults_total", "Calls of a plugin that failed, by kind");
    describe_counter!("plugin_service_calls_total", "Calls of plugins to the host's services, by outcome");
    describe_counter!("http_requests_total", "Requests answered, by method and status");
    describe_histogram!("http_request_duration_seconds", Unit::Seconds, "From a request to the head of its answer");
    describe_gauge!("http_event_streams", "Event streams that are open");
}
