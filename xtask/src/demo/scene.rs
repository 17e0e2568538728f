//! Plays the content against a server over HTTP: sets up, acts, waits, and tells what happened.

use std::{collections::HashMap, fmt::Write, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use tokio::time;

use super::content::{Action, Content, Workflow};
use crate::{api::Api, server::ADMIN_EMAIL};

/// How long the asynchronous executions of the demo may take.
const FINISH_SECONDS: u64 = 30;

/// The demo's content on one server.
pub(super) struct Scene {
    api: Api,
    url: String,
    content: Content,
    /// The workflows as the server made them, by the names the content gives them.
    workflows: HashMap<String, MadeWorkflow>,
}

struct MadeWorkflow {
    id: i64,
    key: String,
}

impl Scene {
    /// Signs in and makes collections and workflows.
    pub(super) async fn set_up(url: &str, password: &str) -> Result<Self> {
        let api = Api::sign_in(url, ADMIN_EMAIL, password).await?;
        let content = Content::read()?;
        for collection in &content.collections {
            let mut collection = collection.clone();
            for stamp in ["createdAt", "updatedAt", "createdBy", "updatedBy"] {
                collection[stamp] = true.into();
            }
            api.post("collections:create", &[], &collection).await?;
        }
        let mut workflows = HashMap::new();
        for workflow in &content.workflows {
            workflows.insert(workflow.name.clone(), make(&api, workflow).await?);
        }
        Ok(Self { api, url: url.to_owned(), content, workflows })
    }

    /// Does the actions and waits until what they triggered has finished, or waits for a person.
    pub(super) async fn play(&self) -> Result<()> {
        for action in &self.content.actions {
            let made = self.workflow(action)?;
            let query = [("triggerWorkflows", action.binding(&made.key))];
            let query = query.each_ref().map(|(name, value)| (*name, value.as_str()));
            let values = action.values_for(&self.api.user);
            let record = self.api.post(&format!("{}:create", action.collection), &query, &values).await?;
            let [(_, binding)] = query;
            println!(
                "{}:create?triggerWorkflows={binding} made {}: {}",
                action.collection,
                record["id"],
                told(&record)
            );
        }
        let finished = time::timeout(Duration::from_secs(FINISH_SECONDS), self.wait_until_finished()).await;
        finished.with_context(|| format!("the workflows did not finish within {FINISH_SECONDS} s"))?
    }

    async fn wait_until_finished(&self) -> Result<()> {
        for workflow in &self.content.workflows {
            let made = &self.workflows[&workflow.name];
            let expected = self.content.actions.iter().filter(|action| action.workflow == workflow.name).count();
            let mut every = time::interval(Duration::from_millis(50));
            let executions = loop {
                every.tick().await;
                let tasks = self.open_tasks().await?;
                let (asking, executions): (Vec<_>, Vec<_>) = self
                    .list("executions", &json!({ "workflowId": made.id }))
                    .await?
                    .into_iter()
                    .partition(|execution| tasks.iter().any(|task| task["executionId"] == execution["id"]));
                let running = |execution: &Value| matches!(execution["status"].as_i64(), None | Some(0));
                if asking.len() + executions.len() >= expected && !executions.iter().any(running) {
                    print!("workflow {} ({}): executions that have ended: ", made.key, workflow.title);
                    println!("{}, that wait for a person: {}", executions.len(), asking.len());
                    break executions;
                }
            };
            if let Some(failed) = executions.iter().find(|execution| execution["status"] != 1) {
                bail!("execution {} ended with status {}", failed["id"], failed["status"]);
            }
        }
        Ok(())
    }

    /// Prints the records that the workflows changed or made.
    pub(super) async fn tell(&self) -> Result<()> {
        for collection in &self.content.shown {
            println!("\n{collection}:");
            for record in self.list(collection, &json!({})).await? {
                println!("  {}: {}", record["id"], told(&record));
            }
        }
        Ok(())
    }

    /// Writes the calls to paste: the seeds' examples with a real token, role and keys.
    pub(super) async fn calls(&self) -> Result<String> {
        let role = self.role().await?;
        let mut calls = String::new();
        for action in &self.content.actions {
            let Some(shows) = &action.curl else { continue };
            let binding = action.binding(&self.workflow(action)?.key);
            let (url, token, collection) = (&self.url, &self.api.token, &action.collection);
            let values = serde_json::to_string_pretty(&action.values)?.replace('\'', r"'\''");
            write!(
                calls,
                "\n# {shows}\ncurl -X POST -H 'Authorization: Bearer {token}' -H 'X-Role: {role}' \\\n  \
                 -H 'Content-Type: application/json' \\\n  -d '{values}' \\\n  \
                 '{url}/api/{collection}:create?triggerWorkflows={binding}'\n"
            )?;
        }
        let (url, token) = (&self.url, &self.api.token);
        for task in self.open_tasks().await? {
            let (id, title) = (&task["id"], task["title"].as_str().unwrap_or_default());
            write!(
                calls,
                "\n# your open tasks, and approving one: {title}\n\
                 curl -G -H 'Authorization: Bearer {token}' \\\n  --data-urlencode 'filter={{\"status\":0}}' \
                 '{url}/api/workflowTasks:list'\n\
                 curl -X POST -H 'Authorization: Bearer {token}' \\\n  -d '{{\"action\": \"approve\", \"comment\": \"fine\"}}' \
                 '{url}/api/workflowTasks:submit/{id}'\n"
            )?;
        }
        Ok(calls)
    }

    /// The role that the signed-in user acts in, as the first execution's context names it.
    async fn role(&self) -> Result<String> {
        let executions = self.list("executions", &json!({})).await?;
        let role = executions.first().and_then(|execution| execution["context"]["roleName"].as_str());
        role.map(str::to_owned).context("an execution has no role in its context")
    }

    /// What the signed-in user is to decide.
    async fn open_tasks(&self) -> Result<Vec<Value>> {
        self.list("workflowTasks", &json!({ "status": 0 })).await
    }

    async fn list(&self, collection: &str, filter: &Value) -> Result<Vec<Value>> {
        let filter = filter.to_string();
        let query = [("filter", filter.as_str()), ("sort", "id"), ("pageSize", "200")];
        match self.api.get(&format!("{collection}:list"), &query).await? {
            Value::Array(records) => Ok(records),
            other => bail!("{collection}:list answered no list: {other}"),
        }
    }

    fn workflow(&self, action: &Action) -> Result<&MadeWorkflow> {
        self.workflows.get(&action.workflow).with_context(|| format!("no workflow is called {}", action.workflow))
    }
}

/// Makes a workflow with its nodes, and switches it on.
async fn make(api: &Api, workflow: &Workflow) -> Result<MadeWorkflow> {
    let values = json!({ "title": workflow.title, "type": "action", "sync": false, "config": workflow.config });
    let made = api.post("workflows:create", &[], &values).await?;
    let id = made["id"].as_i64().context("workflows:create answered without an id")?;
    let key = made["key"].as_str().context("workflows:create answered without a key")?.to_owned();

    let mut nodes: Vec<Value> = Vec::new();
    for node in &workflow.nodes {
        let mut values = json!({ "type": node.node_type, "title": node.title, "config": node.config });
        if let Some(upstream) = node.after.and_then(|place| nodes.get(place)) {
            values["upstreamId"] = upstream["id"].clone();
        }
        if let Some(branch) = node.branch {
            values["branchIndex"] = branch.into();
        }
        nodes.push(api.post(&format!("workflows/{id}/nodes:create"), &[], &values).await?);
    }
    let tk = id.to_string();
    api.post("workflows:update", &[("filterByTk", tk.as_str())], &json!({ "enabled": true })).await?;
    Ok(MadeWorkflow { id, key })
}

/// A record in one line, without the keys and stamps that every record has.
fn told(record: &Value) -> String {
    let empty = Map::new();
    let fields = record.as_object().unwrap_or(&empty);
    let own = fields.iter().filter(|(name, value)| {
        let stamp = ["id", "createdAt", "updatedAt", "createdById", "updatedById"].contains(&name.as_str());
        !stamp && !value.is_object() && !value.is_array()
    });
    own.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::told;

    #[test]
    fn a_record_is_told_by_its_own_fields() {
        let record =
            json!({ "id": 1, "title": "x", "amount": 300, "status": null, "createdAt": "now", "category": {} });
        assert_eq!(told(&record), r#"title "x", amount 300, status null"#);
    }
}
