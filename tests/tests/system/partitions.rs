//! Executions and jobs in partitions by time, as `docs/partitions.sql` makes them.

use serde_json::{Value, json};

use crate::harness::{Blog, Fleet, NewWorkflow, eventually};

const SCRIPT: &str = include_str!("../../../docs/partitions.sql");
const BEGIN: &str = r#"SELECT "_beginPartition"()"#;
const DROP: &str = r#"SELECT * FROM "_dropPartitions"(now() + interval '1 day')"#;

#[tokio::test]
async fn old_partitions_are_dropped_and_the_host_goes_on() {
    let Some(fleet) = Fleet::new() else { return };
    let mut host = fleet.host("both").await;
    let blog = Blog::set_up(host.admin().await).await;
    let done = blog.workflow(NewWorkflow::on("posts").global(&["create"]).logs("done")).await;
    let asking = json!({"assignees": [1], "title": "Good?"});
    let asks = blog.workflow(NewWorkflow::on("posts").global(&["update"]).node("manual", asking)).await;
    blog.admin.post("posts:create", json!({"title": "before the partitions"})).await.ok();
    blog.finished(&done, 1).await;

    assert!(host.terminate().await.success());
    fleet.execute(SCRIPT).await;
    let host = host.restart().await;
    let blog = Blog { admin: host.admin().await };
    blog.admin.post("posts:create", json!({"title": "in the second"})).await.ok();
    // Somebody is asked, who does not answer yet.
    blog.admin.post("posts:update?filterByTk=1", json!({"title": "waits"})).await.ok();
    let task =
        eventually("somebody is asked", async || blog.admin.list("workflowTasks", json!({})).await.first().cloned())
            .await;
    fleet.execute(BEGIN).await;
    blog.admin.post("posts:create", json!({"title": "in the third"})).await.ok();
    blog.finished(&done, 3).await;
    assert_eq!(blog.log().await, ["done"; 3], "it is the same workflow in all of them");

    // The first partition goes; the second holds what has not ended.
    fleet.execute(DROP).await;
    assert_eq!(blog.executions(&done).await.len(), 2);
    assert_eq!(blog.executions(&asks).await[0]["status"], 0);

    let decided = format!("workflowTasks:submit/{}", task["id"]);
    blog.admin.post(&decided, json!({"action": "approve"})).await.ok();
    blog.finished(&asks, 1).await;
    fleet.execute(DROP).await;
    assert_eq!(blog.executions(&asks).await, Vec::<Value>::new());
    assert_eq!(blog.executions(&done).await.len(), 1, "the current partition stays, whatever its age");
    assert_eq!(blog.admin.list("workflowTasks", json!({})).await, Vec::<Value>::new());

    blog.admin.post("posts:create", json!({"title": "and on"})).await.ok();
    blog.finished(&done, 2).await;
    // Deleting executions takes their jobs along, as without partitions.
    let last = blog.executions(&done).await[1]["id"].clone();
    let jobs = json!({"executionId": last});
    assert_eq!(blog.admin.list("jobs", jobs.clone()).await.len(), 1);
    blog.admin.post(&format!("workflows:destroy?filterByTk={}", done.id), json!({})).await.ok();
    assert_eq!(blog.executions(&done).await, Vec::<Value>::new());
    assert_eq!(blog.admin.list("jobs", jobs).await, Vec::<Value>::new());
}
