//! A button with its bindings, as it is answered.

use std::collections::HashMap;

use serde_json::{Value, json};
use store::{Binding, Button, ButtonFacts, WorkflowRow};

use super::{Judge, Misfit};

/// Describes a button and what is bound to it; `workflows` are those of its bindings that are there, by key.
pub(crate) fn describe(judge: Judge<'_>, button: &Button, workflows: &HashMap<String, WorkflowRow>) -> Value {
    let facts = &button.facts;
    let bindings = (1..).zip(&button.bindings);
    json!({
        "key": button.key,
        "title": facts.title,
        "type": facts.button_type,
        "collection": facts.collection,
        "blockId": facts.block_id,
        "blockTitle": facts.block_title,
        "createdAt": button.created_at,
        "updatedAt": button.updated_at,
        "broken": broken(judge.button(facts).err().as_ref()),
        "bindings": bindings
            .map(|(position, binding)| describe_binding(judge, facts, binding, position, workflows))
            .collect::<Value>(),
    })
}

/// Describes one binding: `position` counts from 1.
fn describe_binding(
    judge: Judge<'_>,
    button: &ButtonFacts,
    binding: &Binding,
    position: usize,
    workflows: &HashMap<String, WorkflowRow>,
) -> Value {
    let workflow = workflows.get(&binding.workflow_key);
    let misfit = judge.binding(button, workflow, &binding.workflow_key, &binding.path).err();
    json!({
        "id": binding.id,
        "workflowKey": binding.workflow_key,
        "path": binding.path,
        "position": position,
        "workflow": workflow.map(|workflow| json!({
            "id": workflow.id,
            "title": workflow.title,
            "type": workflow.trigger_type,
            "sync": workflow.sync,
            "enabled": workflow.enabled,
        })),
        "broken": broken(misfit.as_ref()),
    })
}

/// Why it does not work, or `null`.
fn broken(misfit: Option<&Misfit>) -> Value {
    misfit.map_or(Value::Null, |misfit| json!({"reason": misfit.reason(), "message": misfit.to_string()}))
}
