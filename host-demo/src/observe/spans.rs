//! The log, and the spans that go to a collector when one is named in the environment.
//!
//! Spans follow a request to its action, its executions and their nodes. What is run in the background has a span of its own;
//! it carries the same `event` as the action that queued it.

use std::{io::IsTerminal as _, time::Duration};

use clap::ValueEnum;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing_subscriber::{EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Either of them names the collector; the exporter reads them itself.
const ENDPOINT_VARIABLES: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
/// What the service calls itself, unless `OTEL_SERVICE_NAME` says otherwise.
const SERVICE: &str = "host-demo";
/// How long a collector may take for the last spans.
const FLUSH: Duration = Duration::from_secs(5);

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

/// The log and the exporter of a process.
pub(crate) struct Spans(Option<SdkTracerProvider>);

impl Spans {
    /// Begins to log to the standard error, and to export if a collector is named. Once per process, and outside the
    /// runtime: the exporter has a thread of its own that blocks.
    ///
    /// # Errors
    ///
    /// The collector's address is none.
    pub(crate) fn install(format: LogFormat) -> Result<Self, ExporterBuildError> {
        let is_asked_for = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let provider = if ENDPOINT_VARIABLES.into_iter().any(is_asked_for) { Some(provider()?) } else { None };
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        // Colours are for people: a file or a pipe gets plain text.
        let log = fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
        let log = match format {
            LogFormat::Text => log.boxed(),
            LogFormat::Json => log.json().boxed(),
        };
        let export =
            provider.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer(SERVICE)));
        tracing_subscriber::registry().with(filter).with(log).with(export).init();
        Ok(Self(provider))
    }

    /// Hands over what is not exported yet.
    pub(crate) fn flush(self) {
        if let Some(Err(error)) = self.0.map(|provider| provider.shutdown_with_timeout(FLUSH)) {
            tracing::warn!(%error, "the last spans could not be exported");
        }
    }
}

fn provider() -> Result<SdkTracerProvider, ExporterBuildError> {
    let exporter = SpanExporter::builder().with_http().build()?;
    let resource = match std::env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => Resource::builder().build(),
        Ok(_) | Err(_) => Resource::builder().with_service_name(SERVICE).build(),
    };
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}
