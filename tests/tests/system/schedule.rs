//! Workflows that start by the clock, on a server that is killed.

use serde_json::json;

use crate::harness::{Blog, Host, NewWorkflow, eventually, fixture::Workflow};

async fn seconds(blog: &Blog, workflow: &Workflow, count: usize) -> Vec<String> {
    let what = format!("{count} seconds have started it");
    let executions = eventually(&what, async || {
        Some(blog.executions(workflow).await).filter(|executions| executions.len() >= count)
    });
    let date = |execution: &serde_json::Value| execution["context"]["date"].as_str().expect("a moment").to_owned();
    executions.await.iter().map(date).collect()
}

#[tokio::test]
async fn a_crash_neither_loses_nor_doubles_a_moment() {
    let mut host = Host::start().await;
    let mut blog = Blog::set_up(host.admin().await).await;
    let every_second = json!({"repeat": "* * * * * *", "missed": "all"});
    let workflow = blog.workflow(NewWorkflow::of("schedule", every_second)).await;
    let mut count = 0;
    for _ in 0..3 {
        count = seconds(&blog, &workflow, count + 2).await.len();
        host = host.crash_and_restart().await;
        blog = Blog { admin: host.admin().await };
    }
    let dates = seconds(&blog, &workflow, count + 2).await;
    let of_day = |date: &String| {
        let [hours, minutes, seconds] = [11, 14, 17].map(|at| date[at..at + 2].parse::<u32>().expect("a number"));
        (hours * 60 + minutes) * 60 + seconds
    };
    let next_day = |(earlier, later): (&String, &String)| (of_day(earlier) + 1) % 86_400 == of_day(later);
    assert!(dates.iter().zip(&dates[1..]).all(next_day), "each second once, in order: {dates:?}");
}
