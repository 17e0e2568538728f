//! Why workflows fire or do not, in lines for the one who asks.
//!
//! A plugin says which of the workflows it knows it skips, and why. What only the host knows is added here: which keys belong
//! to workflows that are switched off or not there at all, and what the terms made of the records.

use std::collections::{HashMap, HashSet};

use plugin_api::{AssociationPath, CollectionRef, Skip, SkipReason};
use serde::Serialize;
use serde_json::{Value, json};
use store::{Binding, Conn, Filter, Find, StoreError, WorkflowId, WorkflowRow};

use crate::{plugins::Plugins, triggers};

/// One workflow, or one entry of the bindings, that was considered.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Considered {
    /// The workflow's key, or what was given for one.
    pub(super) key: String,
    /// The version, if there is one.
    pub(super) workflow_id: Option<i64>,
    /// Its title.
    pub(super) title: Option<String>,
    /// The path it was bound with; empty for the action's own record.
    pub(super) path: String,
    /// Whether it fires; `None` if that depends on a record that is not known.
    pub(super) fired: Option<bool>,
    /// Why it does not, or why that is not known.
    pub(super) reason: Option<Reason>,
    /// How many executions it starts; `None` if that is not known.
    pub(super) executions: Option<usize>,
}

/// Why a workflow does not fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Reason {
    /// No workflow has the key.
    UnknownKey,
    /// No version of the workflow is enabled.
    Disabled,
    /// A version is enabled, but no trigger has it.
    NotEnabled,
    /// A version is enabled, but no loaded plugin offers its trigger.
    NoPlugin,
    /// A version is enabled, but its trigger's plugin is out of service after too many faults.
    PluginSuspended,
    /// The path leads to another collection than the workflow's.
    OtherCollection,
    /// A segment of the path is no association.
    UnknownPath,
    /// The key was named before in the request.
    Repeated,
    /// The workflow fires for requests that name it, and this one does not.
    NotBound,
    /// The workflow does not fire for this kind of action.
    ActionNotChosen,
    /// The action concerned no record.
    NoRecord,
    /// There is no record at the end of the path.
    AssociationEmpty,
    /// None of the fields that have to change has changed.
    Unchanged,
    /// The condition does not hold.
    ConditionFalse,
    /// The condition, or a field that has to change, does not fit the schema any more.
    TermsInvalid,
    /// Workflows of its type cannot be bound to such a button.
    ButtonNotAllowed,
    /// Workflows of its type do not take what the path leads to.
    DataNotAllowed,
    /// The button's collection does not exist.
    UnknownCollection,
    /// A workflow's node wrote the record.
    LoopGuard,
    /// The workflow takes no related records, and the entry has a path.
    PathNotTaken,
    /// A workflow before it left the action out.
    ActionLeftOut,
    /// It depends on a record, and none was named.
    RecordUnknown,
    /// The action was refused, so nothing fires.
    ActionFailed,
    /// The plugin's own, which this host has no name for.
    Other,
}

impl From<SkipReason> for Reason {
    fn from(reason: SkipReason) -> Self {
        match reason {
            SkipReason::NotEnabled => Self::NotEnabled,
            SkipReason::OtherCollection => Self::OtherCollection,
            SkipReason::UnknownPath => Self::UnknownPath,
            SkipReason::Repeated => Self::Repeated,
            SkipReason::ActionNotChosen => Self::ActionNotChosen,
            SkipReason::NotBound => Self::NotBound,
            SkipReason::PathNotTaken => Self::PathNotTaken,
            // The enum is open to plugins of later versions.
            _ => Self::Other,
        }
    }
}

impl Considered {
    /// A workflow that a plugin wants to start; what becomes of it is not known yet.
    pub(super) fn wanted(key: &str, id: WorkflowId, title: Option<String>, path: &AssociationPath) -> Self {
        Self {
            key: key.to_owned(),
            workflow_id: Some(id.0),
            title,
            path: path.to_string(),
            fired: None,
            reason: None,
            executions: None,
        }
    }

    pub(super) fn skipped(skip: Skip) -> Self {
        Self {
            key: skip.key,
            workflow_id: None,
            title: None,
            path: skip.path.to_string(),
            fired: Some(false),
            reason: Some(skip.reason.into()),
            executions: Some(0),
        }
    }

    /// A binding of the pressed button that no plugin is asked about: it does not make sense any more.
    pub(super) fn withheld(binding: &Binding, workflow: Option<&WorkflowRow>, reason: Reason) -> Self {
        Self {
            key: binding.workflow_key.clone(),
            workflow_id: workflow.map(|workflow| workflow.id.0),
            title: workflow.and_then(|workflow| workflow.title.clone()),
            path: binding.path.clone(),
            fired: Some(false),
            reason: Some(reason),
            executions: Some(0),
        }
    }

    pub(super) fn fire(&mut self, executions: usize) {
        (self.fired, self.reason, self.executions) = (Some(true), None, Some(executions));
    }

    pub(super) fn refuse(&mut self, reason: Reason) {
        (self.fired, self.reason, self.executions) = (Some(false), Some(reason), Some(0));
    }

    /// Says that it fires for any record.
    pub(super) fn fire_for_any(&mut self) {
        self.fired = Some(true);
    }

    pub(super) fn leave_open(&mut self) {
        self.reason = Some(Reason::RecordUnknown);
    }

    /// Tells the operator.
    pub(super) fn trace(&self) {
        tracing::debug!(
            target: "host_demo::decisions",
            workflow = self.key,
            version = self.workflow_id,
            path = self.path,
            fired = self.fired,
            reason = self.reason.map(|reason| json!(reason).as_str().unwrap_or_default().to_owned()),
            executions = self.executions,
            "considered"
        );
    }
}

/// A workflow version, as far as explanations need it.
struct Known {
    id: i64,
    title: Option<String>,
    enabled: bool,
    trigger_type: String,
    config: Value,
}

impl Known {
    /// Why no action at all makes it fire.
    fn silenced_by(&self, plugins: &Plugins) -> Option<Reason> {
        match plugins.trigger(&self.trigger_type) {
            _ if !self.enabled => Some(Reason::Disabled),
            None => Some(Reason::NoPlugin),
            Some(trigger) => trigger.is_suspended().then_some(Reason::PluginSuspended),
        }
    }

    /// Says whether it watches a collection. Without its plugin nobody knows which field tells; then any that names it does.
    fn is_about(&self, collection: &CollectionRef, plugins: &Plugins) -> bool {
        match plugins.trigger(&self.trigger_type) {
            Some(trigger) => triggers::watched(trigger, &self.config).as_ref() == Some(collection),
            None => {
                let mut texts = self.config.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str());
                texts.any(|text| CollectionRef::parse(text) == *collection)
            }
        }
    }
}

/// Leaves one line of those that say that a key is not enabled, or none if another line knows it: several plugins may be asked
/// about a key that belongs to one of them.
pub(super) fn settle(considered: &mut Vec<Considered>) {
    let settled: HashSet<String> =
        considered.iter().filter(|it| it.reason != Some(Reason::NotEnabled)).map(|it| it.key.clone()).collect();
    let mut unknown = HashSet::new();
    considered.retain(|it| {
        it.reason != Some(Reason::NotEnabled)
            || (!settled.contains(&it.key) && unknown.insert((it.key.clone(), it.path.clone())))
    });
}

/// Adds what only the host knows: titles, workflows that are switched off, keys that nobody has.
pub(super) async fn complete(
    conn: &mut Conn,
    plugins: &Plugins,
    collection: &CollectionRef,
    considered: &mut Vec<Considered>,
) -> Result<(), StoreError> {
    let known = known(conn).await?;
    for line in considered.iter_mut() {
        match (known.get(&line.key), line.reason) {
            (None, Some(Reason::NotEnabled)) => line.reason = Some(Reason::UnknownKey),
            (Some(workflow), Some(Reason::NotEnabled)) => {
                if let Some(reason) = workflow.silenced_by(plugins) {
                    line.reason = Some(reason);
                }
            }
            _ => {}
        }
        if let Some(workflow) = known.get(&line.key) {
            line.workflow_id.get_or_insert(workflow.id);
            if line.title.is_none() {
                line.title.clone_from(&workflow.title);
            }
        }
    }
    let named: HashSet<String> = considered.iter().map(|it| it.key.clone()).collect();
    let mut off: Vec<(&String, &Known, Reason)> = known
        .iter()
        .filter(|(key, workflow)| !named.contains(*key) && workflow.is_about(collection, plugins))
        .filter_map(|(key, workflow)| Some((key, workflow, workflow.silenced_by(plugins)?)))
        .collect();
    off.sort_by_key(|(_, workflow, _)| workflow.id);
    considered.extend(off.into_iter().map(|(key, workflow, reason)| Considered {
        key: key.clone(),
        workflow_id: Some(workflow.id),
        title: workflow.title.clone(),
        path: String::new(),
        fired: Some(false),
        reason: Some(reason),
        executions: Some(0),
    }));
    Ok(())
}

/// Every workflow by its key: the enabled version, or else the current one.
async fn known(conn: &mut Conn) -> Result<HashMap<String, Known>, StoreError> {
    let workflows = conn.schema().collection("workflows")?.clone();
    let filter = Filter::parse(conn.schema(), &workflows, &json!({"$or": [{"enabled": true}, {"current": true}]}))?;
    let rows = conn.find(&Find { filter, ..Find::all(workflows) }).await?;
    let mut known: HashMap<String, Known> = HashMap::new();
    for row in rows {
        let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        let enabled = row.get("enabled").and_then(Value::as_bool).unwrap_or_default();
        let (Some(key), Some(id)) = (text("key"), row.get("id").and_then(Value::as_i64)) else { continue };
        if known.get(&key).is_some_and(|other| other.enabled) {
            continue;
        }
        let workflow = Known {
            id,
            title: text("title"),
            enabled,
            trigger_type: text("type").unwrap_or_default(),
            config: row.get("config").cloned().unwrap_or_default(),
        };
        known.insert(key, workflow);
    }
    Ok(known)
}
