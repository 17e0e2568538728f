//! Workflows and the executions that are queued for them.

use serde_json::{Value, json};
use store::{ExecutionId, NewExecution, Record, Store, StoreError, WorkflowRow, workflows::NewNode};

/// Executions stored by one write; more would keep other writers waiting.
const PER_WRITE: usize = 500;

fn object(value: &Value) -> Record {
    value.as_object().expect("an object").clone()
}

/// What an action hands to its workflows: about what a short form submits.
pub fn context() -> Value {
    json!({"data": {"id": 1, "title": "A title of usual length", "read": 0,
               "content": "A sentence or two of content, as a short form has it."},
           "user": {"id": 1, "email": "admin@example.com", "nickname": "Super Admin"}, "roleName": "root"})
}

/// Makes the collection that the workflows' nodes write to.
pub async fn make_logs(store: &Store) {
    let logs = object(&json!({"name": "logs", "fields": [{"type": "string", "name": "tag"}]}));
    let made = store.write(move |tx| Box::pin(async move { tx.create_collection(&logs).await.map(drop) })).await;
    made.map_err(|error: StoreError| error).expect("the collection is made");
}

/// Makes and enables a workflow with so many nodes in a line, each of which makes a record.
pub async fn make_workflow(store: &Store, nodes: usize) -> WorkflowRow {
    let made = store.write(move |tx| {
        Box::pin(async move {
            let values = object(&json!({"title": "benchmark", "type": "action", "enabled": true}));
            let workflow = tx.create_workflow(values, None).await?;
            let mut upstream_id = None;
            for _ in 0..nodes {
                let config = json!({"collection": "logs", "params": {"values": {"tag": "{{$context.data.title}}"}}});
                let node = NewNode { node_type: "create".into(), title: None, config, upstream_id, branch_index: None };
                upstream_id = Some(tx.create_node(workflow.id, node).await?.id);
            }
            Ok::<_, StoreError>(workflow)
        })
    });
    made.await.expect("the workflow is made")
}

/// An execution of a workflow that is to be stored.
pub fn execution(workflow: &WorkflowRow) -> NewExecution {
    let event_key = "00000000-0000-4000-8000-000000000000".to_owned();
    NewExecution::new(workflow.id, workflow.key.clone(), context(), event_key)
}

/// Stores executions for whoever drains the queue.
pub async fn enqueue(store: &Store, workflow: &WorkflowRow, executions: usize) {
    let mut ids: Vec<ExecutionId> = Vec::with_capacity(executions);
    while ids.len() < executions {
        let new: Vec<_> = (ids.len()..executions).take(PER_WRITE).map(|_| execution(workflow)).collect();
        let stored = store.write(move |tx| Box::pin(async move { tx.enqueue(new).await }));
        ids.extend(stored.await.map_err(|error: StoreError| error).expect("they are stored"));
    }
}
