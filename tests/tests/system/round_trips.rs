//! How often a host asks a PostgreSQL server for one action: on a busy machine that is what decides how many there are in a second.

use serde_json::{Value, json};
use tests::cable::Cable;

use crate::harness::{Blog, Client, Fleet, NewWorkflow, eventually, fleet::elsewhere};

/// Actions that are counted. What a host asks by itself, every two seconds, goes into few of them.
const ACTIONS: usize = 15;

/// What one action costs, as most of them do, until nothing of it is queued or runs any more.
async fn cost(cable: &Cable, watcher: &Client, act: impl AsyncFn() -> Value) -> u64 {
    let mut costs = Vec::with_capacity(ACTIONS);
    // What is done once for each connection and each statement is done by then.
    for _ in 0..3 * ACTIONS {
        let before = cable.questions();
        act().await;
        let unended = json!({"$or": [{"status": null}, {"status": 0}]});
        let ended = async || watcher.list("executions", unended.clone()).await.is_empty().then_some(());
        eventually("all executions have ended", ended).await;
        costs.push(cable.questions() - before);
    }
    let counted = &mut costs[2 * ACTIONS..];
    counted.sort_unstable();
    counted[ACTIONS / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_asks_the_server_only_what_it_has_to() {
    let Some(fleet) = Fleet::new() else { return };
    let (host, cable) = fleet.host_on_cable("both").await;
    let blog = Blog::set_up(host.admin().await).await;
    // Somebody else looks whether the executions have ended, and runs none.
    let other = fleet.host("serve").await;
    let watcher = elsewhere(&blog.admin, &other);
    let of = async |path: String| {
        cost(&cable, &watcher, async || blog.admin.post(&path, json!({"content": "x"})).await.ok()).await
    };

    // How far the hosts are, the user, the roles.
    assert_eq!(of("tags:list".to_owned()).await, 3 + 2, "a list and its count");
    // BEGIN, the record, COMMIT.
    assert_eq!(of("comments:create".to_owned()).await, 3 + 3, "a create");
    let empty = blog.workflow(NewWorkflow::on("comments")).await;
    // The workflow, its count, the execution; BEGIN with the turn, the claim, the end, nothing more to claim, COMMIT.
    let bound = format!("comments:create?triggerWorkflows={}", empty.key);
    assert_eq!(of(bound).await, 3 + 6 + 5, "a create that starts a workflow in the background");
    let logs = blog.workflow(NewWorkflow::on("comments").logs("one").logs("two")).await;
    // The claim by itself; for each node BEGIN, whether the claim holds, the record, the job, COMMIT; with the last one the end, the
    // turn, nothing more to claim.
    let bound = format!("comments:create?triggerWorkflows={}", logs.key);
    assert_eq!(of(bound).await, 3 + 6 + 3 + 5 + 8, "the same with two nodes");
}
