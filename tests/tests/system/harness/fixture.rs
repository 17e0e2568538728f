//! The collections of the examples: posts with a category, comments and tags, and a log that nodes write to.

use serde_json::{Value, json};

use super::{Client, eventually};

/// The example collections, made over HTTP.
pub(crate) struct Blog {
    pub(crate) admin: Client,
}

/// A workflow to be made. Its nodes form one line.
pub(crate) struct NewWorkflow {
    pub(crate) trigger: &'static str,
    pub(crate) config: Value,
    pub(crate) sync: bool,
    pub(crate) nodes: Vec<(&'static str, Value)>,
}

/// A workflow that was made.
#[derive(Debug, Clone)]
pub(crate) struct Workflow {
    pub(crate) id: i64,
    pub(crate) key: String,
}

impl NewWorkflow {
    /// An asynchronous workflow without nodes, bound locally.
    pub(crate) fn on(collection: &str) -> Self {
        Self::of("action", json!({"collection": collection}))
    }

    /// A workflow that runs before actions it is bound to.
    pub(crate) fn before(collection: &str) -> Self {
        Self::of("request-interception", json!({"collection": collection})).sync()
    }

    /// A workflow for "Trigger workflow" buttons that gets one record.
    pub(crate) fn button(collection: &str) -> Self {
        Self::of("custom-action", json!({"type": 1, "collection": collection}))
    }

    /// A workflow for changes of these kinds in a collection, whoever makes them.
    pub(crate) fn changes(collection: &str, actions: &[&str]) -> Self {
        Self::of("collection", json!({"collection": collection, "actions": actions}))
    }

    /// An asynchronous workflow without nodes.
    pub(crate) fn of(trigger: &'static str, config: Value) -> Self {
        Self { trigger, config, sync: false, nodes: Vec::new() }
    }

    pub(crate) fn sync(mut self) -> Self {
        self.sync = true;
        self
    }

    /// Fires on these actions of the collection without being bound.
    pub(crate) fn global(mut self, actions: &[&str]) -> Self {
        self.config["global"] = json!(true);
        self.config["actions"] = json!(actions);
        self
    }

    pub(crate) fn appends(mut self, paths: &[&str]) -> Self {
        self.config["appends"] = json!(paths);
        self
    }

    pub(crate) fn node(mut self, node_type: &'static str, config: Value) -> Self {
        self.nodes.push((node_type, config));
        self
    }

    /// Appends `tag` to the log: shows that, and when, the workflow ran.
    pub(crate) fn logs(self, tag: &str) -> Self {
        self.node("create", json!({"collection": "logs", "params": {"values": {"tag": tag}}}))
    }

    /// Says `message`, then ends as failed.
    pub(crate) fn refuses(self, message: &str) -> Self {
        self.node("response-message", json!({"message": message})).node("end", json!({"endStatus": -1}))
    }
}

impl Blog {
    pub(crate) async fn set_up(admin: Client) -> Self {
        let text = |name: &str| json!({"type": "string", "name": name});
        let collections = [
            json!({"name": "logs", "fields": [text("tag")]}),
            json!({"name": "categories", "fields": [text("title"),
                {"type": "belongsTo", "name": "owner", "target": "users", "foreignKey": "ownerId"}]}),
            json!({"name": "tags", "fields": [text("name")]}),
            json!({"name": "posts", "createdBy": true, "updatedBy": true, "fields": [
                text("title"), text("content"), {"type": "integer", "name": "read", "defaultValue": 0},
                {"type": "string", "name": "code", "unique": true},
                {"type": "belongsTo", "name": "category", "target": "categories", "foreignKey": "categoryId"},
                {"type": "belongsToMany", "name": "tags", "target": "tags", "through": "posts_tags",
                 "foreignKey": "postId", "otherKey": "tagId"}]}),
            json!({"name": "comments", "fields": [text("content"),
                {"type": "belongsTo", "name": "post", "target": "posts", "foreignKey": "postId"}]}),
        ];
        for definition in collections {
            admin.post("collections:create", definition).await.ok();
        }
        let comments = json!({"type": "hasMany", "name": "comments", "target": "comments", "foreignKey": "postId"});
        admin.post("collections/posts/fields:create", comments).await.ok();
        Self { admin }
    }

    /// Makes and enables a workflow.
    pub(crate) async fn workflow(&self, new: NewWorkflow) -> Workflow {
        let values = json!({"title": "test", "type": new.trigger, "sync": new.sync, "config": new.config});
        let made = self.admin.post("workflows:create", values).await.ok();
        let workflow =
            Workflow { id: made["id"].as_i64().expect("an id"), key: made["key"].as_str().expect("a key").into() };
        let mut upstream = Value::Null;
        for (node_type, config) in new.nodes {
            let node = json!({"type": node_type, "config": config, "upstreamId": upstream});
            upstream =
                self.admin.post(&format!("workflows/{}/nodes:create", workflow.id), node).await.ok()["id"].clone();
        }
        self.switch(&workflow, true).await;
        workflow
    }

    pub(crate) async fn switch(&self, workflow: &Workflow, enabled: bool) {
        let path = format!("workflows:update?filterByTk={}", workflow.id);
        self.admin.post(&path, json!({"enabled": enabled})).await.ok();
    }

    /// The executions of a workflow version, oldest first.
    pub(crate) async fn executions(&self, workflow: &Workflow) -> Vec<Value> {
        self.admin.list("executions", json!({"workflowId": workflow.id})).await
    }

    /// The executions, once there are `count` of them and all have ended.
    pub(crate) async fn finished(&self, workflow: &Workflow, count: usize) -> Vec<Value> {
        let what = format!("{count} executions of {} have ended", workflow.key);
        eventually(&what, async || {
            let executions = self.executions(workflow).await;
            let ended = |execution: &Value| !matches!(execution["status"].as_i64(), None | Some(0));
            (executions.len() >= count && executions.iter().all(ended)).then_some(executions)
        })
        .await
    }

    /// The tags in the log, oldest first.
    pub(crate) async fn log(&self) -> Vec<String> {
        let rows = self.admin.list("logs", json!({})).await;
        rows.iter().map(|row| row["tag"].as_str().expect("a tag").to_owned()).collect()
    }

    /// Creates a record with workflows bound to the button.
    pub(crate) async fn create(&self, collection: &str, bindings: &str, values: Value) -> super::Answer {
        self.admin.post(&format!("{collection}:create?triggerWorkflows={bindings}"), values).await
    }
}

/// What each execution got as `data.<field>`.
pub(crate) fn data_of(executions: &[Value], field: &str) -> Vec<Value> {
    executions.iter().map(|execution| execution["context"]["data"][field].clone()).collect()
}
