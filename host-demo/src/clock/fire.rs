//! Starts what is due: asks the plugins about the marks whose time has come, stores the executions and advances the marks, all in
//! one transaction.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, SecondsFormat};
use plugin_api::{AssociationPath, ClockQuestion, ClockWatch, ErrorKind, PluginError};
use serde_json::{Value, json};
use store::{Collection, Filter, Find, Mark, NewExecution, Record, Select, StoreError, Tx, WorkflowId, WorkflowRow};
use uuid::Uuid;

use crate::{host::Host, plugins::Plugins, triggers::secrets};

/// Most marks of one transaction: a millisecond or so each, with the record.
const MARKS_MAX: u32 = 100;
/// Executions after which a transaction takes up no further mark.
const EXECUTIONS_ENOUGH: usize = 1_000;

/// What became of the marks that were due.
#[derive(Debug, Default)]
pub(super) struct Fired {
    /// The workflows that have new executions.
    pub(super) started: BTreeSet<WorkflowId>,
    /// The workflows that could not be asked about.
    pub(super) failed: BTreeSet<WorkflowId>,
    /// Whether there was nothing to ask about.
    pub(super) is_idle: bool,
}

/// A workflow, with what its plugin says that it waits with.
struct Asked {
    row: WorkflowRow,
    config: Value,
    watch: Option<ClockWatch>,
}

/// Starts what is due by now, but for the workflows in `but`.
pub(super) async fn fire(host: &Host, but: Vec<WorkflowId>) -> Result<Fired, StoreError> {
    let plugins = host.plugins.current();
    host.store
        .write(move |tx| {
            Box::pin(async move {
                let mut round = Round { plugins, asked: HashMap::new(), fired: Fired::default() };
                round.run(tx, &but).await?;
                Ok(round.fired)
            })
        })
        .await
}

struct Round {
    plugins: Arc<Plugins>,
    asked: HashMap<WorkflowId, Option<Arc<Asked>>>,
    fired: Fired,
}

impl Round {
    async fn run(&mut self, tx: &mut Tx, but: &[WorkflowId]) -> Result<(), StoreError> {
        let now_ms = tx.clock_ms();
        let marks = tx.due_marks(now_ms, but, MARKS_MAX).await?;
        self.fired.is_idle = marks.is_empty();
        // They are settled by when they are due.
        tx.hold_marks(marks.iter().map(|mark| (mark.workflow_id, mark.record_key.as_str()))).await?;
        let mut executions = Vec::new();
        for mark in marks {
            if executions.len() >= EXECUTIONS_ENOUGH {
                break;
            }
            if self.fired.failed.contains(&mark.workflow_id) {
                continue;
            }
            match self.settle(tx, &mark, now_ms).await? {
                Ok(more) => executions.extend(more),
                Err(error) => {
                    self.fired.failed.insert(mark.workflow_id);
                    if error.kind != ErrorKind::Unavailable {
                        tracing::error!(workflow = %mark.workflow_id, %error, "cannot be started by the clock");
                    }
                }
            }
        }
        self.fired.started = executions.iter().map(|execution| execution.workflow_id).collect();
        if !executions.is_empty() {
            tx.enqueue(executions).await?;
        }
        Ok(())
    }

    /// Advances a mark, and says what is started by that.
    async fn settle(
        &mut self,
        tx: &mut Tx,
        mark: &Mark,
        now_ms: i64,
    ) -> Result<Result<Vec<NewExecution>, PluginError>, StoreError> {
        let asked = match self.ask_about(tx, mark.workflow_id).await? {
            Ok(Some(asked)) => asked,
            // It is not enabled any more; when it is again, its marks are set anew.
            Ok(None) => {
                tx.advance_mark(mark, now_ms, 0, None).await?;
                return Ok(Ok(Vec::new()));
            }
            Err(error) => return Ok(Err(error)),
        };
        let mut question = ClockQuestion::new(now_ms, mark.settled_until_ms.max(asked.row.enabled_since_ms));
        question.runs = mark.runs;
        let mut place = None;
        if let Some(watch) = &asked.watch {
            let Some((collection, dates)) = dates(tx, watch, &mark.record_key).await? else {
                tx.unmark(mark.workflow_id, std::slice::from_ref(&mark.record_key)).await?;
                return Ok(Ok(Vec::new()));
            };
            question.record = Some(dates);
            place = Some((collection, watch));
        }
        let answer = match self.plugins.due(&asked.row.trigger_type, &asked.config, &question) {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        let mut data = None;
        if let Some((collection, watch)) = place.filter(|_| !answer.due_ms.is_empty()) {
            data = whole(tx, &collection, watch, &mark.record_key).await?;
        }
        // Somebody else has settled it: what is due was started by them.
        if !tx.advance_mark(mark, now_ms, answer.due_ms.len(), answer.next_ms).await? {
            return Ok(Ok(Vec::new()));
        }
        let event_key = Uuid::new_v4().to_string();
        let execution = |moment_ms: i64| {
            let mut context = json!({"date": written(moment_ms)});
            if let Some(data) = &data {
                context["data"] = Value::Object(data.clone());
            }
            NewExecution::new(asked.row.id, asked.row.key.clone(), context, event_key.clone())
        };
        Ok(Ok(answer.due_ms.into_iter().map(execution).collect()))
    }

    /// The workflow of a mark, with what it waits with; `None` if it is not enabled.
    async fn ask_about(
        &mut self,
        tx: &mut Tx,
        id: WorkflowId,
    ) -> Result<Result<Option<Arc<Asked>>, PluginError>, StoreError> {
        if !self.asked.contains_key(&id) {
            let asked = match tx.workflow(id).await?.filter(|row| row.enabled) {
                None => None,
                Some(row) => {
                    let config = secrets::told(&row);
                    match self.plugins.watch(&row.trigger_type, &config) {
                        Ok(watch) => Some(Arc::new(Asked { row, config, watch })),
                        Err(error) => return Ok(Err(error)),
                    }
                }
            };
            self.asked.insert(id, asked);
        }
        Ok(Ok(self.asked.get(&id).cloned().flatten()))
    }
}

/// The dates of a record; `None` if it, its collection or one of the fields is gone.
async fn dates(tx: &mut Tx, watch: &ClockWatch, key: &str) -> Result<Option<(Arc<Collection>, Record)>, StoreError> {
    let Ok(collection) = tx.schema().collection(watch.collection.name()).cloned() else { return Ok(None) };
    let is_there = |name: &String| collection.field(name).is_ok_and(|it| !it.hidden && it.association().is_none());
    if !watch.fields.iter().all(is_there) {
        return Ok(None);
    }
    let filter = Filter::by_key(&collection, &Value::from(key))?;
    let select = Select { fields: watch.fields.clone(), ..Select::default() };
    let found = tx.find(&Find { filter, select, ..Find::all(Arc::clone(&collection)) }).await?.into_iter().next();
    Ok(found.map(|record| (collection, record)))
}

/// The record with its preloads; without those, if they are not there any more.
async fn whole(
    tx: &mut Tx,
    collection: &Arc<Collection>,
    watch: &ClockWatch,
    key: &str,
) -> Result<Option<Record>, StoreError> {
    let filter = Filter::by_key(collection, &Value::from(key))?;
    let appends = watch.preloads.iter().map(AssociationPath::to_string).collect();
    let find = Find { filter, ..Find::all(Arc::clone(collection)) };
    let with_preloads = Find { select: Select { appends, ..Select::default() }, ..find.clone() };
    let found = match tx.find(&with_preloads).await {
        Err(StoreError::Invalid { message, .. }) => {
            tracing::warn!(collection = collection.name, "its preloads cannot be loaded: {message}");
            tx.find(&find).await?
        }
        found => found?,
    };
    Ok(found.into_iter().next())
}

fn written(moment_ms: i64) -> Value {
    match DateTime::from_timestamp_millis(moment_ms) {
        Some(moment) => moment.to_rfc3339_opts(SecondsFormat::Millis, true).into(),
        // Beyond the calendar, and so never due.
        None => moment_ms.into(),
    }
}
