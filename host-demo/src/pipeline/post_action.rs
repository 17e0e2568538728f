//! What a user's action starts: asks the plugins, loads the trigger data, and stores the executions, all in the action's
//! own transaction.
//!
//! A plugin that fails, names a workflow that is not enabled any more, or a path that is not there, starts nothing and harms
//! nobody: the action and everybody else's workflows go on.

use std::{collections::HashSet, sync::Arc};

use plugin_api::{
    Action, ActionEvent, AssociationPath, CollectionRef, ExecutionMode, Firing, Phase, UserId, schema::MAIN_DATA_SOURCE,
};
use serde_json::{Value, json};
use store::{ClaimedBy, Collection, Conn, ExecutionId, NewExecution, Record, Select, StoreError, Tx, WorkflowId};
use uuid::Uuid;

use super::schema_view::StoreSchemaView;
use crate::{access::RequestContext, http::error::ApiError, plugins::Plugins};

/// Most executions of one action: what one transaction may hold up the writer with.
const EXECUTIONS_MAX: usize = 10_000;

/// An action that was done, or, for deletions, is about to be.
pub(super) struct Event<'a> {
    /// What was done.
    pub(super) action: Action,
    /// To records of this collection.
    pub(super) collection: &'a Arc<Collection>,
    /// The records, whole, with the submitted associations, in order.
    pub(super) records: &'a [Record],
    /// The association paths that values were submitted for.
    pub(super) submitted: &'a [String],
}

/// Asks on behalf of one request.
#[derive(Clone)]
pub(super) struct Asker {
    /// Who is asked.
    pub(super) plugins: Arc<Plugins>,
    /// The raw bindings of the request.
    pub(super) bindings: String,
    /// Who acts.
    pub(super) user: Record,
    /// Their id.
    pub(super) user_id: UserId,
    /// In which role.
    pub(super) role: String,
}

/// One execution to be stored.
pub(super) struct Start {
    workflow: WorkflowId,
    key: String,
    mode: ExecutionMode,
    context: Value,
}

/// What was stored.
#[derive(Debug, Default)]
pub(super) struct Queued {
    /// To be run by this request, in order.
    pub(super) chain: Vec<ExecutionId>,
    /// Workflows with executions for the dispatcher.
    pub(super) background: Vec<WorkflowId>,
}

impl Asker {
    pub(super) fn new(plugins: Arc<Plugins>, bindings: String, context: &RequestContext) -> Self {
        Self {
            plugins,
            bindings,
            user: context.actor().record.clone(),
            user_id: UserId(context.actor().id.0),
            role: context.role().name().to_owned(),
        }
    }

    /// Decides what the event starts and loads its data.
    pub(super) async fn starts(&self, conn: &mut Conn, event: &Event<'_>) -> Result<Vec<Start>, ApiError> {
        let collection = CollectionRef::new(MAIN_DATA_SOURCE, event.collection.name.as_str());
        let bound = !self.bindings.is_empty();
        if event.records.is_empty() || !self.plugins.waits_for(Phase::After, event.action, &collection, bound) {
            return Ok(Vec::new());
        }
        let mut starts = Vec::new();
        for firing in self.plan(conn, event.action, &collection) {
            let id = WorkflowId(firing.workflow.0);
            let Some(workflow) = conn.workflow(id).await?.filter(|workflow| workflow.enabled) else {
                tracing::debug!(workflow = %id, "not enabled any more, does not start");
                continue;
            };
            let data = match load(conn, event, &firing).await {
                Ok(data) => data,
                Err(StoreError::Invalid { message, .. }) => {
                    tracing::warn!(workflow = %id, path = %firing.path, "cannot be loaded, does not start: {message}");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            starts.extend(data.into_iter().map(|record| Start {
                workflow: id,
                key: workflow.key.clone(),
                mode: firing.mode,
                context: json!({"data": record, "user": self.user, "roleName": self.role}),
            }));
            if starts.len() > EXECUTIONS_MAX {
                return Err(ApiError::invalid(
                    "TOO_MANY_EXECUTIONS",
                    format!("the action would start more than {EXECUTIONS_MAX} executions"),
                ));
            }
        }
        Ok(starts)
    }

    fn plan(&self, conn: &Conn, action: Action, collection: &CollectionRef) -> Vec<Firing> {
        let view = StoreSchemaView(conn.schema());
        let mut event = ActionEvent::new(Phase::After, action, collection, &view);
        event.bindings = &self.bindings;
        event.actor = Some(self.user_id);
        event.role = &self.role;
        // Faults are logged where they happen.
        self.plugins
            .plan(&event)
            .into_iter()
            .filter_map(|answer| answer.result.ok())
            .flat_map(|plan| plan.firings)
            .collect()
    }
}

/// Reads the records that a firing hands over.
async fn load(conn: &mut Conn, event: &Event<'_>, firing: &Firing) -> Result<Vec<Record>, StoreError> {
    let below = firing.path.to_string();
    let mut appends: Vec<String> = firing.preloads.iter().map(AssociationPath::to_string).collect();
    appends.extend(event.submitted.iter().filter_map(|path| strip(path, &below)).map(str::to_owned));
    let mut seen = HashSet::new();
    appends.retain(|path| seen.insert(path.clone()));

    let keys: Vec<Value> = event.records.iter().filter_map(|record| event.collection.key_of(record)).collect();
    if firing.path.is_empty() && (firing.preloads.is_empty() || keys.len() < event.records.len()) {
        return Ok(event.records.to_vec());
    }
    let select = Select { appends, ..Select::default() };
    conn.follow(event.collection, &keys, firing.path.segments(), &select).await
}

/// The part of a submitted path below another one.
fn strip<'p>(path: &'p str, below: &str) -> Option<&'p str> {
    if below.is_empty() { Some(path) } else { path.strip_prefix(below)?.strip_prefix('.') }
}

/// Stores the executions: the synchronous ones as a chain that this process runs, the others behind its end.
pub(super) async fn enqueue(tx: &mut Tx, starts: Vec<Start>, claim: &ClaimedBy) -> Result<Queued, StoreError> {
    let mut queued = Queued::default();
    if starts.is_empty() {
        return Ok(queued);
    }
    let event_key = Uuid::new_v4().to_string();
    let execution = |start: Start, claimed_by: Option<ClaimedBy>, waits_for: Option<ExecutionId>| NewExecution {
        workflow_id: start.workflow,
        key: start.key,
        context: start.context,
        event_key: event_key.clone(),
        claimed_by,
        waits_for,
        stack: Vec::new(),
        parent_job: None,
        manually: false,
    };
    let (sync, background): (Vec<Start>, Vec<Start>) =
        starts.into_iter().partition(|start| start.mode == ExecutionMode::Sync);
    for start in sync {
        let waits_for = queued.chain.last().copied();
        queued.chain.extend(tx.enqueue(vec![execution(start, Some(claim.clone()), waits_for)]).await?);
    }
    let last = queued.chain.last().copied();
    queued.background = background.iter().map(|start| start.workflow).collect();
    queued.background.dedup();
    if !background.is_empty() {
        tx.enqueue(background.into_iter().map(|start| execution(start, None, last)).collect()).await?;
    }
    Ok(queued)
}

#[cfg(test)]
mod tests {
    use super::strip;

    #[test]
    fn submitted_paths_below_a_path() {
        let check = |path, below, want| assert_eq!(strip(path, below), want, "{path} below {below}");
        check("category", "", Some("category"));
        check("category", "category", None);
        check("category.owner", "category", Some("owner"));
        check("categoryX.owner", "category", None);
        check("post.category.owner", "post.category", Some("owner"));
    }
}
