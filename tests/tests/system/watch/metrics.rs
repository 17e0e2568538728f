//! `GET /metrics`.

use std::collections::BTreeMap;

use prometheus_parse::{Sample, Scrape, Value as Measured};
use serde_json::json;

use crate::harness::{Blog, Host, HostOptions, NewWorkflow, eventually, process};

/// A page of metrics: what stands behind each name with its labels, histograms as how much they counted.
struct Page {
    samples: BTreeMap<String, f64>,
    help: BTreeMap<String, String>,
}

impl Page {
    async fn read(host: &Host) -> Self {
        let url = host.greeting.iter().find_map(|line| line.strip_prefix("metrics on ")).expect("it is printed");
        let answer = reqwest::get(url).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let text = answer.text().await.expect("a page");
        let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).expect("it can be read");
        let samples = scrape.samples.iter().map(|sample| (name(sample), value(sample))).collect();
        Self { samples, help: scrape.docs.into_iter().collect() }
    }

    fn get(&self, name: &str) -> f64 {
        self.samples.get(name).copied().unwrap_or_default()
    }
}

fn name(sample: &Sample) -> String {
    let labels: BTreeMap<&str, &str> =
        sample.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if labels.is_empty() { sample.metric.clone() } else { format!("{}{{{}}}", sample.metric, labels.join(",")) }
}

fn value(sample: &Sample) -> f64 {
    match &sample.value {
        Measured::Counter(value) | Measured::Gauge(value) | Measured::Untyped(value) => *value,
        Measured::Histogram(buckets) => buckets.last().map_or(0.0, |bucket| bucket.count),
        Measured::Summary(_) => panic!("{} has no buckets", sample.metric),
    }
}

async fn start(manifest: &str) -> Host {
    let environment = vec![("HOST_METRICS_LISTEN", "127.0.0.1:0".to_owned())];
    Host::start_with(HostOptions { manifest: manifest.to_owned(), environment, ..HostOptions::default() }).await
}

#[tokio::test]
async fn counters_move_as_executions_run() {
    let host = start(process::BUILT_IN_PLUGINS).await;
    let blog = Blog::set_up(host.admin().await).await;
    let runs =
        blog.workflow(NewWorkflow::on("posts").node("calculation", json!({"expression": "1 + 1"})).logs("x")).await;
    let waits = blog.workflow(NewWorkflow::on("posts").node("delay", json!({"duration": 1, "unit": 86_400_000}))).await;
    let refuses = blog.workflow(NewWorkflow::on("posts").sync().refuses("no")).await;
    let before = Page::read(&host).await;
    for title in ["a", "b"] {
        blog.create("posts", &runs.key, json!({"title": title})).await.ok();
    }
    blog.create("posts", &waits.key, json!({"title": "c"})).await.ok();
    assert_eq!(blog.create("posts", &refuses.key, json!({"title": "d"})).await.status, 400);
    assert_eq!(blog.admin.get("posts:get/404").await.status, 404);
    blog.finished(&runs, 2).await;

    let page = eventually("the delay is waited for", async || {
        let page = Page::read(&host).await;
        (page.get("workflow_waiting_jobs") >= 1.0).then_some(page)
    })
    .await;
    let moved = |name: &str| page.get(name) - before.get(name);
    for (name, by) in [
        ("workflow_executions_queued_total", 4.0),
        ("workflow_executions_started_total", 4.0),
        ("workflow_executions_ended_total{status=resolved}", 2.0),
        ("workflow_executions_ended_total{status=failed}", 1.0),
        ("workflow_execution_duration_seconds", 3.0),
        ("workflow_execution_wait_seconds", 4.0),
        ("workflow_node_duration_seconds{status=resolved,type=calculation}", 2.0),
        ("workflow_node_duration_seconds{status=resolved,type=create}", 2.0),
        ("workflow_node_duration_seconds{status=pending,type=delay}", 1.0),
        ("workflow_node_duration_seconds{status=failed,type=end}", 1.0),
        ("http_requests_total{method=GET,status=404}", 1.0),
        ("http_requests_total{method=POST,status=400}", 1.0),
    ] {
        assert_eq!(moved(name), by, "{name} in {:#?}", page.samples);
    }
    assert_eq!(page.get("workflow_queue_executions"), 0.0);
    assert_eq!(page.get("plugin_loaded{plugin=workflow-action-trigger}"), 1.0);
    assert!(moved("store_commit_duration_seconds") >= 4.0 && moved("store_commit_requests") >= 4.0);
    assert!(moved("http_request_duration_seconds{method=POST}") >= 4.0);
    assert!(!page.samples.keys().any(|name| name.contains(&runs.key)), "{:#?}", page.samples);
}

#[tokio::test]
async fn a_plugin_at_fault_is_told_by_name() {
    let manifest = format!(
        "{}\n[[plugin]]\nid = \"plugin-misbehaving\"\nlibrary = \"plugin_misbehaving\"\nsettings = {{ panics = [\"plan\"] }}\n",
        process::BUILT_IN_PLUGINS
    );
    let host = start(&manifest).await;
    let blog = Blog::set_up(host.admin().await).await;
    let faults = "plugin_faults_total{kind=fault,plugin=plugin-misbehaving}";
    assert_eq!(Page::read(&host).await.get(faults), 0.0);
    for title in ["a", "b", "c"] {
        blog.create("posts", "", json!({"title": title})).await.ok();
    }
    assert_eq!(Page::read(&host).await.get(faults), 3.0);
}

#[tokio::test]
async fn the_reference_names_every_metric() {
    let host = start(process::BUILT_IN_PLUGINS).await;
    let page = Page::read(&host).await;
    let reference = include_str!("../../../../docs/operations.md");
    let unnamed: Vec<&String> = page.help.keys().filter(|name| !reference.contains(&format!("`{name}`"))).collect();
    assert!(!page.help.is_empty() && unnamed.is_empty(), "not in docs/operations.md: {unnamed:?}");
}

#[tokio::test]
async fn without_being_asked_for_there_is_no_page() {
    let host = Host::start().await;
    assert!(host.greeting.iter().all(|line| !line.contains("metrics")), "{:?}", host.greeting);
    let answer = reqwest::get(format!("{}/metrics", host.base_url())).await.expect("an answer");
    assert_eq!(answer.status(), 404);
}
