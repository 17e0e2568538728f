//! The writing actions: what is asked for, and whether the role may do it.
//!
//! [`Write::prepare`] turns a request into a [`Write`] whose values are the ones the role may set, with hashed secrets;
//! nothing is written here.

use plugin_api::Action;
use serde_json::{Value, json};
use store::{Record, Schema, UserId, WriteOptions, write::AssociationChange};

use super::{asker::Curiosity, button::Bound, resource::Resource};
use crate::{
    access::{Allowance, RequestContext, Right, Role, accounts::AccountGuard},
    http::{body::Values, error::ApiError, params::Params},
};

/// A writing action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteAction {
    /// Makes a record, or one for each item of an array.
    Create,
    /// Changes the matching records.
    Update,
    /// Deletes the matching records.
    Destroy,
    /// Changes the record that agrees in `filterKeys`, or makes one.
    UpdateOrCreate,
    /// Answers the record that agrees in `filterKeys`, or makes one.
    FirstOrCreate,
    /// Changes links of an association.
    Associate(AssociationChange),
    /// Starts the workflows named, with the matching records; writes nothing itself.
    Trigger,
}

impl WriteAction {
    /// Reads the name in an address.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "create" => Self::Create,
            "update" => Self::Update,
            "destroy" => Self::Destroy,
            "updateOrCreate" => Self::UpdateOrCreate,
            "firstOrCreate" => Self::FirstOrCreate,
            "add" => Self::Associate(AssociationChange::Add),
            "set" => Self::Associate(AssociationChange::Set),
            "remove" => Self::Associate(AssociationChange::Remove),
            "trigger" => Self::Trigger,
            _ => return None,
        })
    }

    /// What plugins are told; links fire nothing.
    pub(super) fn event(self) -> Option<Action> {
        match self {
            Self::Create => Some(Action::Create),
            Self::Update => Some(Action::Update),
            Self::Destroy => Some(Action::Destroy),
            Self::UpdateOrCreate => Some(Action::UpdateOrCreate),
            Self::FirstOrCreate => Some(Action::FirstOrCreate),
            Self::Trigger => Some(Action::Trigger),
            Self::Associate(_) => None,
        }
    }
}

/// A permitted write: what is left to do needs no further question about rights.
pub(crate) struct Write {
    /// On what.
    pub(super) resource: Resource,
    /// What plugins are told.
    pub(super) action: WriteAction,
    /// What is to be done, with the values that the role may set and hashed secrets.
    pub(super) input: Input,
    /// Looks at users once more, inside the transaction.
    pub(super) guard: AccountGuard,
    /// The bindings of the request, and of the button it names.
    pub(super) bound: Bound,
    /// Whether the caller asks why workflows fire or do not.
    pub(super) curiosity: Curiosity,
    /// Authorship and nested changes.
    pub(super) options: WriteOptions,
}

/// What is to be done.
pub(super) enum Input {
    /// Make these records.
    Create { items: Vec<Record>, shape: Shape },
    /// Give the records meant these values.
    Update { values: Record, wanted: Wanted },
    /// Delete the records meant.
    Destroy { wanted: Wanted },
    /// Take the record that agrees, change it if there is `update`, or make one.
    Upsert { agree: Value, create: Record, update: Option<Record> },
    /// Change links to these records.
    Associate { change: AssociationChange, keys: Vec<Value> },
    /// Hand the records meant over.
    Trigger { wanted: Wanted },
}

/// Whether a create answers one record or an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One record.
    One,
    /// An array.
    Many,
}

/// Which records are meant.
pub(super) struct Wanted {
    /// Each has to match.
    pub(super) keys: Vec<Value>,
    /// In its wire form, checked against the role's rights.
    pub(super) filter: Option<Value>,
}

impl Write {
    /// Checks rights and shapes, drops the values that the role may not set, and hashes secrets.
    ///
    /// # Errors
    ///
    /// 403 without the right (asking why takes an administrator), 400 for values or parameters of another shape.
    pub(crate) async fn prepare(
        context: &RequestContext,
        schema: &Schema,
        resource: Resource,
        action: WriteAction,
        params: Params,
        values: Values,
    ) -> Result<Self, ApiError> {
        let collection = &resource.collection;
        let role = context.role();
        if params.curiosity != Curiosity::Silent {
            role.require_manager()?;
        }
        let allowance = Allowance { role, schema, update_associations: &params.update_association_values };
        let wanted = || -> Result<Wanted, ApiError> {
            let wanted = Wanted {
                keys: params.filter_by_tk.iter().chain(&resource.key).cloned().collect(),
                filter: params
                    .filter
                    .clone()
                    .filter(|filter| filter.as_object().is_some_and(|members| !members.is_empty())),
            };
            let is_one = resource.source.as_ref().is_some_and(|source| source.association.kind.is_to_one());
            if wanted.keys.is_empty() && wanted.filter.is_none() && !is_one {
                return Err(ApiError::invalid("FILTER_REQUIRED", "\"filterByTk\" or \"filter\" is required"));
            }
            if let Some(filter) = &wanted.filter {
                allowance.filter(collection, filter)?;
            }
            Ok(wanted)
        };
        let input = match action {
            WriteAction::Create => {
                let (items, shape) = match values {
                    Values::Many(items) => (objects(items)?, Shape::Many),
                    one => (vec![one.into_given_object()?], Shape::One),
                };
                role.permit(collection, Right::Create)?;
                let mut permitted = Vec::with_capacity(items.len());
                for item in items {
                    let item = allowance.values(collection, Right::Create, item)?;
                    permitted.push(store::secret::hash_secrets(schema, collection, item).await?);
                }
                Input::Create { items: permitted, shape }
            }
            WriteAction::Update => {
                let values = allowance.values(collection, Right::Update, values.into_given_object()?)?;
                let wanted = wanted()?;
                Input::Update { values: store::secret::hash_secrets(schema, collection, values).await?, wanted }
            }
            WriteAction::Destroy => {
                role.permit(collection, Right::Destroy)?;
                Input::Destroy { wanted: wanted()? }
            }
            WriteAction::UpdateOrCreate | WriteAction::FirstOrCreate => {
                let values = values.into_given_object()?;
                let agree = agreement(&params.filter_keys, &values)?;
                let create = allowance.values(collection, Right::Create, values.clone())?;
                let update = if action == WriteAction::UpdateOrCreate {
                    let update = allowance.values(collection, Right::Update, values)?;
                    Some(store::secret::hash_secrets(schema, collection, update).await?)
                } else {
                    allowance.select(collection, store::Select::default())?;
                    None
                };
                allowance.filter(collection, &agree)?;
                Input::Upsert { agree, create: store::secret::hash_secrets(schema, collection, create).await?, update }
            }
            WriteAction::Associate(change) => {
                permit_links(role, &resource)?;
                let keys = resource.key.iter().chain(&params.filter_by_tk).cloned().chain(values.into_keys()).collect();
                Input::Associate { change, keys }
            }
            WriteAction::Trigger => {
                role.permit(collection, Right::Trigger)?;
                role.permit(collection, Right::View)?;
                if let Some(source) = &resource.source {
                    source.may_be_seen(context)?;
                }
                require_bindings(&params)?;
                Input::Trigger { wanted: wanted()? }
            }
        };
        Ok(Self {
            guard: AccountGuard::new(context, collection),
            action,
            input,
            bound: Bound::to_request(params.trigger_workflows),
            curiosity: params.curiosity,
            options: WriteOptions {
                author: Some(UserId(context.actor().id.0)),
                update_associations: params.update_association_values,
            },
            resource,
        })
    }
}

/// A button that names no workflow does nothing.
pub(super) fn require_bindings(params: &Params) -> Result<(), ApiError> {
    if params.trigger_workflows.is_empty() && params.button.is_none() {
        return Err(ApiError::Refused("parameter \"triggerWorkflows\" is required".to_owned()));
    }
    Ok(())
}

/// Changing links is a change of the source record's association field.
fn permit_links(role: &Role, resource: &Resource) -> Result<(), ApiError> {
    let source = resource.source.as_ref().ok_or_else(no_source)?;
    let fields = role.permit(&source.collection, Right::Update)?;
    if fields.reach(&source.collection, &source.name) { Ok(()) } else { Err(ApiError::Forbidden) }
}

pub(super) fn no_source() -> ApiError {
    ApiError::invalid("NOT_AN_ASSOCIATION", "this action is for association resources")
}

fn objects(items: Vec<Value>) -> Result<Vec<Record>, ApiError> {
    if items.is_empty() {
        return Err(ApiError::invalid("EMPTY_BODY", "the array has to hold at least one object"));
    }
    items
        .into_iter()
        .map(|item| match item {
            Value::Object(values) => Ok(values),
            _ => Err(ApiError::invalid("INVALID_BODY", "each item of the array has to be an object")),
        })
        .collect()
}

fn agreement(names: &[String], values: &Record) -> Result<Value, ApiError> {
    if names.is_empty() {
        return Err(ApiError::invalid("INVALID_PARAMETER", "\"filterKeys\" is required"));
    }
    let conditions = names.iter().map(|name| match values.get(name) {
        Some(value) if !value.is_null() => Ok((name.clone(), json!({"$eq": value}))),
        _ => {
            Err(ApiError::invalid("INVALID_PARAMETER", format!("\"filterKeys\" names \"{name}\", which has no value")))
        }
    });
    Ok(Value::Object(conditions.collect::<Result<_, _>>()?))
}
