//! `buttons/<key>/bindings`: which workflows a button runs, in which order.
//!
//! Each change reads the list, makes the next one of it and stores that, in one transaction. What is bound anew has to make
//! sense; what was bound before and no longer does may stay where it is.

use std::{collections::HashSet, sync::Arc};

use futures::future::BoxFuture;
use serde_json::{Value, json};
use store::{BindingDraft, BindingId, Button, Record, StoreError, Tx};

use super::{
    Call,
    buttons::{described, present, visible},
    id_of, name_of, required_text, text,
};
use crate::{
    access::RequestContext,
    bindings::{Grounds, Judge},
    host::Host,
    http::{answer::Answer, body::Values, error::ApiError},
};

/// Most bindings of one button: each may run before the answer, and somebody waits for it.
const BINDINGS_MAX: usize = 100;
/// Longest path, in bytes.
const PATH_BYTES_MAX: usize = 255;

/// A workflow and a path to bind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    workflow_key: String,
    path: String,
}

pub(super) async fn answer(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    let button = name_of(call.source_key()?)?.to_owned();
    if matches!(call.address.action.as_str(), "list" | "get") {
        return read(host, context, &button, &call).await;
    }
    context.role().require_manager()?;
    match call.address.action.as_str() {
        "create" => create(host, button, &call.values.into_given_object()?).await,
        "update" => {
            let id = id_of(&call.key()?)?;
            update(host, button, id, call.values.into_given_object()?).await
        }
        "move" => {
            let id = id_of(&call.key()?)?;
            relocate(host, button, id, &call.values.into_given_object()?).await
        }
        "set" => match call.values {
            Values::Many(items) => set(host, button, entries(items)?).await,
            // A body that was forgotten must not look like an empty list.
            Values::Nothing | Values::One(_) => {
                Err(ApiError::invalid("INVALID_BODY", "the body has to be an array of bindings"))
            }
        },
        "destroy" => destroy(host, button, &call.keys()).await,
        _ => Err(call.unknown_action()),
    }
}

async fn read(host: &Host, context: &RequestContext, button: &str, call: &Call) -> Result<Answer, ApiError> {
    let mut conn = host.store.read().await?;
    let button = visible(host, &mut conn, context, button).await?;
    let bindings = described(&mut conn, &Grounds::of(host), &button).await?["bindings"].take();
    if call.address.action == "list" {
        return Ok(Answer::Data(bindings));
    }
    let id = id_of(&call.key()?)?;
    pick(bindings, |binding| binding["id"] == id).map(Answer::Data).ok_or_else(ApiError::no_record)
}

async fn create(host: &Arc<Host>, button: String, values: &Record) -> Result<Answer, ApiError> {
    let (entry, position) = (Entry::read(values)?, position(values)?);
    let workflow_key = entry.workflow_key.clone();
    let bindings = change(host, button, move |tx, grounds, button| {
        Box::pin(async move {
            let mut drafts = drafts(button);
            let position = position.unwrap_or(usize::MAX).min(drafts.len());
            drafts.insert(position, entry.draft());
            bind(tx, grounds, button, drafts).await
        })
    })
    .await?;
    // A workflow is bound to a button once.
    let made = pick(bindings, |binding| binding["workflowKey"] == workflow_key);
    made.map(Answer::Data).ok_or_else(ApiError::no_record)
}

async fn update(host: &Arc<Host>, button: String, id: i64, values: Record) -> Result<Answer, ApiError> {
    let bindings = change(host, button, move |tx, grounds, button| {
        Box::pin(async move {
            let mut drafts = drafts(button);
            let draft = find(&mut drafts, id)?;
            if values.contains_key("workflowKey") {
                draft.workflow_key = required_text(&values, "workflowKey")?;
            }
            if values.contains_key("path") {
                draft.path = path(&values)?;
            }
            bind(tx, grounds, button, drafts).await
        })
    })
    .await?;
    Ok(Answer::Data(pick(bindings, |binding| binding["id"] == id).into_iter().collect()))
}

async fn relocate(host: &Arc<Host>, button: String, id: i64, values: &Record) -> Result<Answer, ApiError> {
    let position = position(values)?.ok_or_else(|| ApiError::invalid("REQUIRED", "\"position\" is required"))?;
    let bindings = change(host, button, move |tx, grounds, button| {
        Box::pin(async move {
            let mut drafts = drafts(button);
            let moved = find(&mut drafts, id)?.clone();
            drafts.retain(|draft| draft.id != moved.id);
            drafts.insert(position.min(drafts.len()), moved);
            bind(tx, grounds, button, drafts).await
        })
    })
    .await?;
    Ok(Answer::Data(bindings))
}

async fn set(host: &Arc<Host>, button: String, entries: Vec<Entry>) -> Result<Answer, ApiError> {
    let bindings =
        change(host, button, move |tx, grounds, button| Box::pin(replace(tx, grounds, button, entries))).await?;
    Ok(Answer::Data(bindings))
}

async fn destroy(host: &Arc<Host>, button: String, keys: &[Value]) -> Result<Answer, ApiError> {
    let ids: Vec<i64> = keys.iter().map(id_of).collect::<Result<_, _>>()?;
    if ids.is_empty() {
        return Err(ApiError::invalid("FILTER_REQUIRED", "\"filterByTk\" is required"));
    }
    let gone = host.store.write::<_, ApiError, _>(move |tx| {
        Box::pin(async move {
            let before = present(tx, &button).await?;
            let mut drafts = drafts(&before);
            drafts.retain(|draft| draft.id.is_none_or(|id| !ids.contains(&id.0)));
            let after = tx.set_bindings(&button, drafts).await?;
            Ok(before.bindings.len() - after.bindings.len())
        })
    });
    Ok(Answer::Data(json!(gone.await?)))
}

/// Reads what is to be bound.
///
/// # Errors
///
/// 400 for items of another shape.
pub(super) fn entries(items: Vec<Value>) -> Result<Vec<Entry>, ApiError> {
    let entry = |item| match item {
        Value::Object(values) => Entry::read(&values),
        _ => Err(ApiError::invalid("INVALID_BODY", "each binding has to be an object")),
    };
    items.into_iter().map(entry).collect()
}

/// Makes these the bindings of a button, in this order; those that are there already keep their ids.
///
/// # Errors
///
/// 400 for what cannot be bound.
pub(super) async fn replace(
    tx: &mut Tx,
    grounds: &Grounds,
    button: &Button,
    entries: Vec<Entry>,
) -> Result<Button, ApiError> {
    let drafts = entries.into_iter().map(|entry| {
        let known = button.bindings.iter().find(|it| it.workflow_key == entry.workflow_key && it.path == entry.path);
        BindingDraft { id: known.map(|binding| binding.id), ..entry.draft() }
    });
    let drafts = drafts.collect();
    bind(tx, grounds, button, drafts).await
}

impl Entry {
    fn read(values: &Record) -> Result<Self, ApiError> {
        Ok(Self { workflow_key: required_text(values, "workflowKey")?, path: path(values)? })
    }

    fn draft(self) -> BindingDraft {
        BindingDraft { id: None, workflow_key: self.workflow_key, path: self.path }
    }
}

/// Makes one change of a button's list; answers the list after it.
async fn change<F>(host: &Arc<Host>, key: String, next: F) -> Result<Value, ApiError>
where
    F: for<'a> FnOnce(&'a mut Tx, &'a Grounds, &'a Button) -> BoxFuture<'a, Result<Button, ApiError>> + Send + 'static,
{
    let grounds = Grounds::of(host);
    host.store
        .write::<_, ApiError, _>(move |tx| {
            Box::pin(async move {
                let before = present(tx, &key).await?;
                let after = next(tx, &grounds, &before).await?;
                Ok(described(tx, &grounds, &after).await?["bindings"].take())
            })
        })
        .await
}

/// Stores a list, after a look at what is new in it.
async fn bind(tx: &mut Tx, grounds: &Grounds, button: &Button, drafts: Vec<BindingDraft>) -> Result<Button, ApiError> {
    if drafts.len() > BINDINGS_MAX {
        let message = format!("a button has at most {BINDINGS_MAX} bindings");
        return Err(ApiError::invalid("TOO_MANY_BINDINGS", message));
    }
    let mut seen = HashSet::new();
    // A second path would never be followed: a request fires a workflow once.
    if let Some(twice) = drafts.iter().find(|draft| !seen.insert(draft.workflow_key.as_str())) {
        let message = format!("the workflow \"{}\" is bound to this button already", twice.workflow_key);
        return Err(ApiError::invalid("INVALID_BINDING", message));
    }
    let is_there = |draft: &&BindingDraft| {
        button.bindings.iter().any(|it| it.workflow_key == draft.workflow_key && it.path == draft.path)
    };
    let keys: Vec<&str> = drafts.iter().map(|draft| draft.workflow_key.as_str()).collect();
    let workflows = tx.workflows_by_key(&keys).await?;
    let schemas = grounds.schemas(tx.schema());
    let judge = Judge { plugins: &grounds.plugins, schemas: &schemas };
    for BindingDraft { workflow_key, path, .. } in drafts.iter().filter(|draft| !is_there(draft)) {
        judge.binding(&button.facts, workflows.get(workflow_key), workflow_key, path)?;
    }
    Ok(tx.set_bindings(&button.key, drafts).await?)
}

fn drafts(button: &Button) -> Vec<BindingDraft> {
    button.bindings.iter().cloned().map(Into::into).collect()
}

fn find(drafts: &mut [BindingDraft], id: i64) -> Result<&mut BindingDraft, ApiError> {
    let no_binding = || StoreError::NotFound { what: format!("binding {id}") }.into();
    drafts.iter_mut().find(|draft| draft.id == Some(BindingId(id))).ok_or_else(no_binding)
}

fn path(values: &Record) -> Result<String, ApiError> {
    match text(values, "path")?.unwrap_or_default() {
        path if path.len() > PATH_BYTES_MAX => {
            Err(ApiError::invalid("INVALID_VALUE", format!("\"path\" is longer than {PATH_BYTES_MAX} bytes")))
        }
        path => Ok(path),
    }
}

/// Reads a position, which clients count from 1.
fn position(values: &Record) -> Result<Option<usize>, ApiError> {
    match values.get("position") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().filter(|position| *position > 0) {
            Some(position) => Ok(Some(usize::try_from(position - 1).unwrap_or(usize::MAX))),
            None => Err(ApiError::invalid("INVALID_VALUE", "\"position\" must be a whole number from 1")),
        },
    }
}

fn pick(bindings: Value, is_it: impl Fn(&Value) -> bool) -> Option<Value> {
    match bindings {
        Value::Array(bindings) => bindings.into_iter().find(is_it),
        _ => None,
    }
}
