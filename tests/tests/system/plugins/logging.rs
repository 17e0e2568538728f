//! What a plugin logs arrives at the host's subscriber, under the host's spans, through the host's filter.

use std::{
    io,
    sync::{Arc, Mutex},
};

use plugin_api::{Action, ActionEvent, CollectionRef, ExecutionMode, Phase, UserId, Workflow, WorkflowId};
use serde_json::{Value, json};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use super::{Schema, fixture, load};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Loads the fixture and asks its hook inside a span of the host; what the fixture logged, as JSON.
fn logged(filter: &str) -> Vec<Value> {
    let lines = Lines::default();
    let subscriber =
        tracing_subscriber::fmt().json().with_env_filter(EnvFilter::new(filter)).with_writer(lines.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        let plugins = load(vec![fixture()]);
        let trigger = plugins.trigger("fixture").expect("the trigger type");
        let workflow = Workflow {
            id: WorkflowId(1),
            key: "key".into(),
            mode: ExecutionMode::Sync,
            config: json!({"collection": "posts"}),
        };
        trigger.enable(&workflow).expect("enables");
        let (posts, schema) = (CollectionRef::parse("posts"), Schema::blog());
        let mut event = ActionEvent::new(Phase::After, Action::Create, &posts, &schema);
        event.actor = Some(UserId(7));
        event.role = "member";
        let _request = tracing::info_span!("request", id = 42).entered();
        plugins.plan(&event);
    });
    let bytes = lines.0.lock().expect("not poisoned").clone();
    let text = String::from_utf8(bytes).expect("text");
    let events = text.lines().map(|line| serde_json::from_str(line).expect("a JSON event"));
    events.filter(|event: &Value| event["target"] == "plugin_fixture").collect()
}

#[test]
fn events_and_spans_arrive_under_the_hosts_span() {
    let events = logged("info,plugin_fixture=debug");
    let [registered, decided] = events.as_slice() else { panic!("two events, not {events:#?}") };
    assert_eq!(registered["level"], "INFO");
    assert_eq!(registered["fields"], json!({"message": "fixture registered"}));

    assert_eq!(decided["level"], "DEBUG");
    assert_eq!(decided["fields"], json!({"message": "fixture decided", "role": "member", "actor": 7}));
    let spans = decided["spans"].as_array().expect("spans");
    assert_eq!(spans[0], json!({"name": "request", "id": 42}), "the host's span is outside");
    assert_eq!(spans[1], json!({"name": "fixture_plan", "collection": "posts", "matches": 1}));
    assert_eq!(spans.len(), 2);
}

#[test]
fn the_hosts_filter_decides() {
    let levels = |filter| logged(filter).iter().map(|event| event["level"].clone()).collect::<Vec<_>>();
    assert_eq!(levels("info"), ["INFO"]);
    assert_eq!(levels("trace,plugin_fixture=off"), [Value::Null; 0]);
    assert_eq!(levels("error,plugin_fixture=debug"), ["INFO", "DEBUG"]);
}
