//! Spans that a collector receives, and the log.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value as Attribute},
    trace::v1::Span,
};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_util::task::TaskTracker;

use crate::harness::{Blog, Host, HostOptions, NewWorkflow, process};

/// A collector that keeps what it gets.
struct Collector {
    address: String,
    received: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    _tasks: TaskTracker,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let received = Arc::<Mutex<Vec<ExportTraceServiceRequest>>>::default();
        let tasks = TaskTracker::new();
        let (sink, connections) = (Arc::clone(&received), tasks.clone());
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&sink)));
            }
        });
        Self { address, received, _tasks: tasks }
    }

    fn spans(&self) -> Vec<Span> {
        let received = self.received.lock().expect("not poisoned");
        let scopes =
            received.iter().flat_map(|request| &request.resource_spans).flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    fn service(&self) -> Option<String> {
        let received = self.received.lock().expect("not poisoned");
        let resource = received.first()?.resource_spans.first()?.resource.as_ref()?;
        text(&resource.attributes, "service.name")
    }
}

/// Answers the requests of a connection.
async fn serve(stream: TcpStream, sink: Arc<Mutex<Vec<ExportTraceServiceRequest>>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            if line == "\r\n" {
                break;
            }
            line.clear();
        }
        if line != "\r\n" {
            return;
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("the body comes");
        let request = ExportTraceServiceRequest::decode(body.as_slice()).expect("spans");
        sink.lock().expect("not poisoned").push(request);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.expect("the server reads");
    }
}

fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.key == name)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Attribute::StringValue(text) => Some(text.clone()),
        Attribute::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A span, the one it is part of, and so on.
fn line<'s>(spans: &'s [Span], span: &'s Span) -> Vec<&'s str> {
    let parent = spans.iter().find(|other| other.span_id == span.parent_span_id);
    let mut names = vec![span.name.as_str()];
    names.extend(parent.map(|parent| line(spans, parent)).unwrap_or_default());
    names
}

fn of<'s>(spans: &'s [Span], name: &str, attribute: &str, value: &str) -> &'s Span {
    spans
        .iter()
        .find(|span| span.name == name && text(&span.attributes, attribute).as_deref() == Some(value))
        .unwrap_or_else(|| panic!("no span \"{name}\" with {attribute} {value} in {spans:#?}"))
}

#[tokio::test]
async fn a_collector_sees_a_request_down_to_its_nodes() {
    let collector = Collector::start().await;
    let environment = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address.clone())];
    let mut host = Host::start_with(HostOptions { environment, ..HostOptions::default() }).await;
    let blog = Blog::set_up(host.admin().await).await;
    let sync = blog.workflow(NewWorkflow::on("posts").sync().logs("sync")).await;
    let background = blog.workflow(NewWorkflow::on("posts").logs("background")).await;
    let before = blog.workflow(NewWorkflow::before("posts").logs("before")).await;
    let bindings = format!("{},{},{}", sync.key, background.key, before.key);
    blog.create("posts", &bindings, json!({"title": "a"})).await.ok();
    blog.finished(&background, 1).await;
    // What is not exported yet is handed over at the stop.
    assert!(host.terminate().await.success(), "{}", host.log());

    let spans = collector.spans();
    assert_eq!(collector.service().as_deref(), Some("host-demo"));
    let workflow = |id: i64| of(&spans, "execution", "workflow", &id.to_string());
    let node = |execution: &Span| {
        let mine = |span: &&Span| span.name == "node" && span.parent_span_id == execution.span_id;
        spans.iter().find(mine).unwrap_or_else(|| panic!("no node in {spans:#?}"))
    };
    assert_eq!(line(&spans, node(workflow(before.id))), ["node", "execution", "action", "request"]);
    let execution = workflow(sync.id);
    assert_eq!(line(&spans, node(execution)), ["node", "execution", "action", "request"]);
    assert_eq!(text(&node(execution).attributes, "type").as_deref(), Some("create"));
    assert_eq!(text(&node(execution).attributes, "status").as_deref(), Some("resolved"));
    assert_eq!(text(&execution.attributes, "status").as_deref(), Some("resolved"));

    let later = workflow(background.id);
    assert_eq!(line(&spans, node(later)), ["node", "execution"]);
    let event = text(&later.attributes, "event").expect("an event");
    let action = of(&spans, "action", "event", &event);
    assert_eq!(action.span_id, execution.parent_span_id);
    let token = blog.admin.token.as_deref().expect("a token");
    assert!(!format!("{spans:?}").contains(token) && !format!("{spans:?}").contains(process::PASSWORD));
}

#[tokio::test]
async fn a_collector_that_is_not_there_harms_nobody() {
    let environment = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9".to_owned()),
        ("OTEL_BSP_SCHEDULE_DELAY", "10".to_owned()),
    ];
    let mut host = Host::start_with(HostOptions { environment, ..HostOptions::default() }).await;
    let blog = Blog::set_up(host.admin().await).await;
    let workflow = blog.workflow(NewWorkflow::on("posts").sync().logs("ran")).await;
    blog.create("posts", &workflow.key, json!({"title": "a"})).await.ok();
    assert_eq!(blog.log().await, ["ran"]);
    assert!(host.terminate().await.success(), "{}", host.log());
}

#[tokio::test]
async fn the_log_can_be_json() {
    let environment = vec![("HOST_LOG_FORMAT", "json".to_owned())];
    let mut host = Host::start_with(HostOptions { environment, ..HostOptions::default() }).await;
    assert!(host.terminate().await.success());
    let log = host.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.iter().any(|line| line["fields"]["message"] == "stopping"), "{log}");
}
