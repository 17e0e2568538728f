//! `plugins`: what the host has loaded, and changes to it while it runs. For administrators.

use std::sync::Arc;

use serde_json::{Value, json};
use store::{Filter, Find, Select, Sort};

use super::{Call, name_of, text};
use crate::{
    access::RequestContext,
    host::Host,
    http::{answer::Answer, error::ApiError},
    plugins::{Change, ChangeError},
};

/// What is told of a plugin's workflows.
const WORKFLOW_FIELDS: [&str; 5] = ["id", "key", "title", "type", "enabled"];

pub(super) async fn answer(host: &Arc<Host>, context: &RequestContext, call: Call) -> Result<Answer, ApiError> {
    context.role().require_manager()?;
    let action = call.address.action.clone();
    if !matches!(action.as_str(), "list" | "get" | "enable" | "disable" | "upgrade" | "reload") {
        return Err(call.unknown_action());
    }
    let names_none = call.keys().is_empty();
    if action == "list" || (action == "reload" && names_none) {
        if action == "reload" {
            change(host, context, Change::ReloadAll).await?;
        }
        return Ok(Answer::Data(json!(host.plugins.current().status())));
    }
    let id = name_of(&call.key()?)?.to_owned();
    let values = call.values.into_object()?;
    let wanted = match action.as_str() {
        "enable" => Some(Change::Enable { id: id.clone() }),
        "disable" => {
            let force = match values.get("force") {
                None | Some(Value::Null) => false,
                Some(Value::Bool(force)) => *force,
                Some(_) => return Err(ApiError::invalid("INVALID_VALUE", "\"force\" must be a boolean")),
            };
            Some(Change::Disable { id: id.clone(), force })
        }
        "upgrade" => {
            let (library, sha256) = (text(&values, "library")?, text(&values, "sha256")?);
            Some(Change::Upgrade { id: id.clone(), library, sha256 })
        }
        "reload" => Some(Change::Reload { id: id.clone() }),
        _ => None,
    };
    if let Some(wanted) = wanted {
        change(host, context, wanted).await?;
    }
    describe(host, id).await
}

async fn change(host: &Host, context: &RequestContext, wanted: Change) -> Result<(), ApiError> {
    let user = context.actor().id.0;
    tracing::info!(user, ?wanted, "the plugins are to be changed");
    host.switch.change(wanted.clone()).await?;
    // Reloading is about this host's own files.
    if !matches!(wanted, Change::Reload { .. } | Change::ReloadAll) {
        host.tell_of_plugins(&wanted).await?;
    }
    Ok(())
}

/// Everything about one plugin, with the workflows of its types.
async fn describe(host: &Arc<Host>, id: String) -> Result<Answer, ApiError> {
    let plugins = host.plugins.current();
    let unlisted = ChangeError::Unlisted { id: id.clone() };
    // Telling the checksum reads the library.
    let mut details = tokio::task::spawn_blocking(move || plugins.details(&id))
        .await
        .map_err(|error| ApiError::Internal(error.to_string()))?
        .ok_or(unlisted)?;
    let types: Vec<&str> = details.report.triggers.iter().map(|trigger| trigger.id.as_str()).collect();
    let mut conn = host.store.read().await?;
    let workflows = conn.schema().collection("workflows")?.clone();
    let filter = Filter::parse(conn.schema(), &workflows, &json!({"type": {"$in": types}}))?;
    let select = Select { fields: WORKFLOW_FIELDS.map(str::to_owned).to_vec(), ..Select::default() };
    let sort = vec![Sort::parse(&workflows, "id")?];
    let records = conn.find(&Find { filter, select, sort, ..Find::all(workflows) }).await?;
    let records = records.into_iter().map(|record| serde_json::from_value(Value::Object(record)));
    let workflows = records.collect::<Result<_, _>>().map_err(|error| ApiError::Internal(error.to_string()))?;
    details.workflows = Some(workflows);
    Ok(Answer::Data(json!(details)))
}
