//! What runs before an action: interceptors, one after the other. Each may refuse the request, leave its action out, or change
//! its values.
//!
//! ```text
//! Interceptors::ask ─ the plugins' plan, on the request alone ─ Interceptors
//! Interceptors::run ─ each is stored, run and judged ─ Passage: the action goes on, or is left out
//! ```
//!
//! Each is stored when its turn comes, with the values as those before it left them: a crash leaves no queue of checks that
//! nobody waits for. What their nodes write stays, also when the action is then refused, for it is committed before the
//! action's transaction begins.
//!
//! An interceptor that cannot be asked, or is gone wrong, refuses: no check is passed over because it is broken.

use std::sync::Arc;

use plugin_api::{Action, AssociationPath, Firing, Phase};
use serde_json::{Value, json};
use store::{Collection, Conn, ExecutionId, NewExecution, Record, Schema, StoreError, WorkflowId, secret};
use uuid::Uuid;

use super::{
    action::{Input, Shape, Wanted, Write},
    asker::{Asker, Curiosity, startable},
    explain::{Considered, Reason},
    post_action::Heard,
    verdict,
};
use crate::{
    access::{Allowance, Right, Role},
    host::Host,
    http::error::ApiError,
    plugins::{CollectionName, HookAnswer},
};

/// The member of an interceptor's output that changes the request.
const VALUES: &str = "values";

/// The interceptors of one request, in their order.
#[derive(Default)]
pub(super) struct Interceptors {
    queue: Vec<Interceptor>,
    heard: Heard,
}

struct Interceptor {
    workflow: WorkflowId,
    key: String,
    /// Its line among those considered.
    line: usize,
}

/// What came of the interceptors.
pub(super) enum Passage {
    /// The action is done.
    On(Passed),
    /// It is not, and that is fine.
    LeftOut(Passed),
}

/// What the interceptors leave behind.
#[derive(Default)]
pub(super) struct Passed {
    /// What they said.
    pub(super) messages: Vec<String>,
    /// What was thought about them.
    pub(super) heard: Heard,
    /// What their executions share with those that the action starts, if there are any.
    pub(super) event_key: Option<String>,
}

impl Interceptors {
    /// Asks the plugins what is to run before an action. One that nobody waits for costs one lookup.
    ///
    /// # Errors
    ///
    /// [`ApiError::WorkflowFailed`] if a plugin cannot say, [`ApiError::PluginUnavailable`] if the host needs that plugin.
    pub(super) async fn ask(
        asker: &Asker,
        host: &Host,
        action: Option<Action>,
        collection: &Collection,
    ) -> Result<Self, ApiError> {
        let mut interceptors = Self::default();
        let Some(action) = action else { return Ok(interceptors) };
        let name = CollectionName::new(asker.source.key(), &collection.name);
        let bound = !asker.bindings.is_empty();
        if asker.curiosity == Curiosity::Silent && !asker.plugins.waits_for(Phase::Before, action, name, bound) {
            return Ok(interceptors);
        }
        let watched = asker.source.reference(collection);
        let mut conn = host.store.read().await?;
        for HookAnswer { plugin, result, .. } in asker.ask(&conn, Phase::Before, action, &watched)? {
            // The fault itself is logged where it happens.
            let plan = result.map_err(|_| ApiError::WorkflowFailed)?;
            for firing in plan.firings {
                interceptors.take_in(asker, &mut conn, &plugin, &firing).await?;
            }
            interceptors.heard.skipped.extend(plan.skips.into_iter().map(Considered::skipped));
        }
        Ok(interceptors)
    }

    async fn take_in(&mut self, asker: &Asker, conn: &mut Conn, plugin: &str, firing: &Firing) -> Result<(), ApiError> {
        if *firing != Firing::new(firing.workflow, firing.mode) {
            tracing::error!(workflow = firing.workflow.0, "asks for a record before the action");
            return Err(ApiError::WorkflowFailed);
        }
        let Some(workflow) = startable(&asker.plugins, conn, plugin, firing.workflow).await? else { return Ok(()) };
        let id = workflow.id;
        let path = AssociationPath::default();
        let mut considered = Considered::wanted(&workflow.key, id, workflow.title.clone(), &path);
        if asker.curiosity == Curiosity::WhyNotFromNodes {
            considered.refuse(Reason::LoopGuard);
        } else {
            self.queue.push(Interceptor { workflow: id, key: workflow.key, line: self.heard.wanted.len() });
        }
        self.heard.wanted.push(considered);
        Ok(())
    }

    /// Says what would run, and runs nothing.
    pub(super) fn foresee(mut self) -> Heard {
        for interceptor in &self.queue {
            self.heard.wanted[interceptor.line].fire(1);
        }
        self.heard
    }

    /// Runs them, until one refuses or leaves the action out.
    ///
    /// # Errors
    ///
    /// [`ApiError::Rejected`] from one that ends with a negative verdict; [`ApiError::WorkflowFailed`] and
    /// [`ApiError::WorkflowHangs`] as after an action. The action is then not done.
    pub(super) async fn run(self, host: &Arc<Host>, asker: &Asker, write: &mut Write) -> Result<Passage, ApiError> {
        let mut passed = Passed { heard: self.heard, ..Passed::default() };
        let mut queue = self.queue.into_iter();
        while let Some(interceptor) = queue.next() {
            passed.heard.wanted[interceptor.line].fire(1);
            let event_key = passed.event_key.get_or_insert_with(|| {
                let event_key = Uuid::new_v4().to_string();
                tracing::Span::current().record("event", &event_key);
                event_key
            });
            let context = json!({
                "params": write.params(&asker.source.store().schema()), "user": asker.user, "roleName": asker.role,
            });
            let ran = run_one(host, asker, interceptor, context, event_key.clone(), write).await;
            let (messages, ended) = match ran {
                Ok(ran) => ran,
                Err(error) => {
                    for later in queue {
                        passed.heard.wanted[later.line].refuse(Reason::ActionFailed);
                    }
                    passed.heard.trace();
                    let considered = asker.curiosity.told(passed.heard.into_lines());
                    return Err(error.explained(considered.unwrap_or_default()));
                }
            };
            passed.messages.extend(messages);
            if ended {
                for later in queue {
                    passed.heard.wanted[later.line].refuse(Reason::ActionLeftOut);
                }
                passed.heard.trace();
                return Ok(Passage::LeftOut(passed));
            }
        }
        Ok(Passage::On(passed))
    }
}

/// Runs one interceptor; what it said, and whether it leaves the action out.
async fn run_one(
    host: &Arc<Host>,
    asker: &Asker,
    interceptor: Interceptor,
    context: Value,
    event_key: String,
    write: &mut Write,
) -> Result<(Vec<String>, bool), ApiError> {
    let execution = NewExecution {
        claimed_by: Some(host.engine.claim()),
        ..NewExecution::new(interceptor.workflow, interceptor.key, context, event_key)
    };
    let stored = host.store.write::<_, StoreError, _>(move |tx| Box::pin(tx.enqueue(vec![execution]))).await?;
    let [id] = <[ExecutionId; 1]>::try_from(stored).map_err(|_| ApiError::Internal("nothing was stored".to_owned()))?;
    let mut outcome = verdict::run(&host.engine, id).await?;
    let (ended, output) = (outcome.ended_by_node, outcome.output.take());
    let messages = verdict::verdict(outcome)?;
    let values = output.and_then(|mut output| output.get_mut(VALUES).map(Value::take));
    if let (false, Some(values)) = (ended, values) {
        write.amend(&asker.source.store().schema(), values).await.inspect_err(|error| {
            tracing::warn!(execution = id.0, "its output does not fit the request: {error}");
        })?;
    }
    Ok((messages, ended))
}

impl Write {
    /// What interceptors are told about the request: the values that the role may set, without secrets, and which records are
    /// meant.
    fn params(&self, schema: &Schema) -> Value {
        let shown = |values: &Record| Value::Object(secret::without_secrets(schema, &self.resource.collection, values));
        let params = |wanted: Option<&Wanted>, values: Value| {
            let key = wanted.map_or(Value::Null, |wanted| match wanted.keys.as_slice() {
                [] => Value::Null,
                [key] => key.clone(),
                keys => keys.to_vec().into(),
            });
            let filter = wanted.and_then(|wanted| wanted.filter.clone());
            json!({"filterByTk": key, "filter": filter, "values": values})
        };
        match &self.input {
            Input::Create { items, shape: Shape::One } => params(None, items.first().map_or(Value::Null, shown)),
            Input::Create { items, shape: Shape::Many } => params(None, items.iter().map(shown).collect()),
            Input::Update { values, wanted } => params(Some(wanted), shown(values)),
            Input::Upsert { agree, create, update } => {
                // What may be set differs by whether a record is there, which is not known yet.
                let mut values = update.clone().unwrap_or_default();
                values.extend(create.clone());
                json!({"filterByTk": null, "filter": agree, "values": shown(&values)})
            }
            Input::Destroy { wanted } | Input::Trigger { wanted } => params(Some(wanted), Value::Null),
            Input::Associate { .. } => params(None, Value::Null),
        }
    }

    /// Puts an interceptor's values in the place of the request's, by their names. They are the workflow's, not the role's, and
    /// what no role may do, they may not either.
    ///
    /// # Errors
    ///
    /// [`ApiError::WorkflowFailed`] for another shape than the request's; [`ApiError::Invalid`] for what no one may set.
    async fn amend(&mut self, schema: &Schema, values: Value) -> Result<(), ApiError> {
        let anybody = Role::unlimited();
        let allowance = Allowance { role: &anybody, schema, update_associations: &self.options.update_associations };
        let collection = &self.resource.collection;
        let checked = async |right: Right, values: Value| -> Result<Record, ApiError> {
            let Value::Object(values) = values else { return Err(ApiError::WorkflowFailed) };
            Ok(secret::hash_secrets(schema, collection, allowance.values(collection, right, values)?).await?)
        };
        match &mut self.input {
            Input::Create { items, .. } => {
                let changes = match values {
                    Value::Array(changes) => changes,
                    one => vec![one; items.len()],
                };
                if changes.len() != items.len() {
                    return Err(ApiError::WorkflowFailed);
                }
                for (item, change) in items.iter_mut().zip(changes) {
                    item.extend(checked(Right::Create, change).await?);
                }
            }
            Input::Update { values: submitted, .. } => submitted.extend(checked(Right::Update, values).await?),
            Input::Upsert { create, update, .. } => {
                create.extend(checked(Right::Create, values.clone()).await?);
                if let Some(update) = update {
                    update.extend(checked(Right::Update, values).await?);
                }
            }
            // There are no values to change.
            Input::Destroy { .. } | Input::Associate { .. } | Input::Trigger { .. } => {}
        }
        Ok(())
    }
}
