//! Definitions of collections and fields in their wire form, read into the typed one.
//!
//! What a definition leaves out is filled in when the field is made, and stored: reading it again needs no context.

use serde_json::{Value, json};

use super::{Association, AssociationKind, Collection, Field, FieldType, Generated, Origin, Schema, identifier};
use crate::{Record, codec, error::StoreError};

/// The most digits after the point of a decimal.
const MAX_SCALE: u32 = 18;
const DEFAULT_SCALE: u32 = 2;

/// Reads a field definition that is complete.
pub(super) fn field(definition: &Record) -> Result<Field, StoreError> {
    let name = text(definition, "name")?;
    identifier::check("field", name)?;
    let type_name = text(definition, "type")?;
    let field_type = field_type(definition, name, type_name)?;
    let generated = generated(definition, &field_type);
    let flag = |option: &str| definition.get(option).and_then(codec::boolean);
    let field = Field {
        name: name.to_owned(),
        required: flag("allowNull") == Some(false) || flag("required") == Some(true),
        unique: flag("unique") == Some(true),
        ignores_case: false,
        default: definition.get("defaultValue").filter(|value| !value.is_null()).cloned(),
        hidden: field_type == FieldType::Password || flag("hidden") == Some(true),
        generated,
        native: None,
        field_type,
        options: definition.clone(),
    };
    if let (Some(default), None) = (&field.default, field.association()) {
        codec::encode(&field, default)?;
    }
    Ok(field)
}

/// Reads a collection from its stored options and complete field definitions.
pub(super) fn collection(options: Record, mut fields: Vec<Field>) -> Result<Collection, StoreError> {
    let name = text(&options, "name")?.to_owned();
    identifier::check("collection", &name)?;
    let key = key(&options, &fields)?;
    for field in &mut fields {
        field.required |= key.contains(&field.name) && field.generated.is_none();
    }
    Ok(Collection {
        title: options.get("title").and_then(Value::as_str).map(str::to_owned),
        origin: Origin::User,
        key,
        fields,
        options,
        name,
    })
}

/// The fields a collection's options ask for, beside those given: the id, the stamps, the authors.
pub(super) fn system_fields(options: &Record) -> Vec<Value> {
    let asks = |option: &str, default: bool| options.get(option).and_then(codec::boolean).unwrap_or(default);
    let mut fields = Vec::new();
    if asks("autoGenId", true) {
        fields.push(
            json!({"name": "id", "type": "bigInt", "autoIncrement": true, "primaryKey": true, "interface": "id"}),
        );
    }
    for (option, default) in [("createdAt", true), ("updatedAt", true)] {
        if asks(option, default) {
            fields.push(json!({"name": option, "type": "date", "interface": option}));
        }
    }
    for (option, column) in [("createdBy", "createdById"), ("updatedBy", "updatedById")] {
        if asks(option, false) {
            fields.push(json!({"name": column, "type": "bigInt", "interface": column}));
            fields.push(json!({"name": option, "type": "belongsTo", "interface": option,
                "target": "users", "foreignKey": column, "targetKey": "id"}));
        }
    }
    fields
}

/// Fills in what an association definition leaves out.
///
/// # Errors
///
/// [`StoreError::Invalid`] with `DANGLING_ASSOCIATION` if the target does not exist.
pub(super) fn complete_association(
    definition: &mut Record,
    kind: AssociationKind,
    source: &Collection,
    schema: &Schema,
) -> Result<(), StoreError> {
    let name = text(definition, "name")?.to_owned();
    let target_name = match definition.get("target").and_then(Value::as_str) {
        Some(target) => target.to_owned(),
        None => name.clone(),
    };
    let target = schema.collection(&target_name).map_err(|_unknown| {
        StoreError::invalid("DANGLING_ASSOCIATION", format!("{name}: collection {target_name} does not exist"))
    })?;
    let own_key = single_key(source);
    let target_key = single_key(target);
    let mut fill = |option: &str, value: String| {
        let missing = definition.get(option).is_none_or(Value::is_null);
        if missing {
            definition.insert(option.to_owned(), Value::String(value));
        }
    };
    match kind {
        AssociationKind::BelongsTo => fill("foreignKey", format!("{name}Id")),
        AssociationKind::HasOne | AssociationKind::HasMany => fill("foreignKey", format!("{}Id", source.name)),
        AssociationKind::BelongsToMany => {
            let (first, second) =
                if source.name <= target_name { (&source.name, &target_name) } else { (&target_name, &source.name) };
            fill("through", format!("{first}_{second}"));
            fill("foreignKey", format!("{}Id", source.name));
            let other =
                if source.name == target_name { format!("{target_name}OtherId") } else { format!("{target_name}Id") };
            fill("otherKey", other);
        }
    }
    fill("target", target_name.clone());
    fill("targetKey", target_key);
    if kind != AssociationKind::BelongsTo {
        fill("sourceKey", own_key);
    }
    Ok(())
}

/// The kind of association a definition names, if it names one.
pub(super) fn association_kind(definition: &Record) -> Option<AssociationKind> {
    match definition.get("type")?.as_str()? {
        "belongsTo" => Some(AssociationKind::BelongsTo),
        "hasOne" => Some(AssociationKind::HasOne),
        "hasMany" => Some(AssociationKind::HasMany),
        "belongsToMany" => Some(AssociationKind::BelongsToMany),
        _ => None,
    }
}

/// Reads a text that has to be there.
pub(super) fn text<'d>(definition: &'d Record, option: &str) -> Result<&'d str, StoreError> {
    definition
        .get(option)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| StoreError::invalid_value(option, "a text is required"))
}

fn single_key(collection: &Collection) -> String {
    match collection.key.as_slice() {
        [key] => key.clone(),
        _ => "id".to_owned(),
    }
}

fn key(options: &Record, fields: &[Field]) -> Result<Vec<String>, StoreError> {
    let named: Vec<String> = match options.get("filterTargetKey") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(names)) if names.iter().all(Value::is_string) => {
            names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(_) => {
            return Err(StoreError::invalid_value("filterTargetKey", "a field name or a list of them is expected"));
        }
    };
    for name in &named {
        if !fields.iter().any(|field| field.name == *name && field.association().is_none()) {
            return Err(StoreError::invalid("UNKNOWN_FIELD", format!("filterTargetKey: there is no field {name}")));
        }
    }
    if named.is_empty() {
        let primary = |field: &&Field| field.options.get("primaryKey").and_then(codec::boolean) == Some(true);
        return Ok(fields.iter().filter(primary).map(|field| field.name.clone()).collect());
    }
    Ok(named)
}

fn generated(definition: &Record, field_type: &FieldType) -> Option<Generated> {
    let sequence = definition.get("autoIncrement").and_then(codec::boolean) == Some(true);
    match (definition.get("interface").and_then(Value::as_str), field_type) {
        (_, FieldType::BigInt | FieldType::Integer) if sequence => Some(Generated::Sequence),
        (Some("createdAt"), FieldType::DateTime) => Some(Generated::CreatedAt),
        (Some("updatedAt"), FieldType::DateTime) => Some(Generated::UpdatedAt),
        (Some("createdById"), FieldType::BigInt) => Some(Generated::CreatedBy),
        (Some("updatedById"), FieldType::BigInt) => Some(Generated::UpdatedBy),
        _ => None,
    }
}

fn field_type(definition: &Record, name: &str, type_name: &str) -> Result<FieldType, StoreError> {
    Ok(match type_name {
        "string" => string(definition, name)?,
        "select" | "radioGroup" => FieldType::String { max_chars: 255, choices: choices(definition) },
        "text" => FieldType::Text,
        "integer" => FieldType::Integer,
        "bigInt" => FieldType::BigInt,
        "float" | "double" | "number" => FieldType::Double,
        "decimal" => {
            let scale = match definition.get("scale") {
                None | Some(Value::Null) => DEFAULT_SCALE,
                Some(scale) => scale
                    .as_u64()
                    .and_then(|scale| u32::try_from(scale).ok())
                    .filter(|scale| *scale <= MAX_SCALE)
                    .ok_or_else(|| StoreError::invalid_value(name, format_args!("scale must be 0 to {MAX_SCALE}")))?,
            };
            FieldType::Decimal { scale }
        }
        "boolean" => FieldType::Boolean,
        "date" | "datetime" | "datetimeTz" => FieldType::DateTime,
        "dateOnly" => FieldType::Date,
        "time" => FieldType::Time,
        "json" | "jsonb" => FieldType::Json,
        "uuid" => FieldType::Uuid,
        "array" | "multipleSelect" => FieldType::Array { choices: choices(definition) },
        "password" => FieldType::Password,
        _ => match association_kind(definition) {
            Some(kind) => FieldType::Association(association(definition, kind)?),
            None => {
                return Err(StoreError::invalid("UNKNOWN_TYPE", format!("{name}: unknown field type \"{type_name}\"")));
            }
        },
    })
}

fn string(definition: &Record, name: &str) -> Result<FieldType, StoreError> {
    let max_chars = match definition.get("length") {
        None | Some(Value::Null) => 255,
        Some(length) => length
            .as_u64()
            .and_then(|length| u32::try_from(length).ok())
            .filter(|length| *length > 0)
            .ok_or_else(|| StoreError::invalid_value(name, "length must be a positive number"))?,
    };
    let choices = if definition.contains_key("enum") { choices(definition) } else { None };
    Ok(FieldType::String { max_chars, choices })
}

/// The values in `enum` or `uiSchema.enum`, bare or as `{value, label}`.
fn choices(definition: &Record) -> Option<Vec<String>> {
    let list = definition.get("enum").or_else(|| definition.get("uiSchema")?.get("enum"))?.as_array()?;
    let values: Vec<String> = list
        .iter()
        .filter_map(|choice| match choice.get("value").unwrap_or(choice) {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
        .collect();
    (!values.is_empty()).then_some(values)
}

fn association(definition: &Record, kind: AssociationKind) -> Result<Association, StoreError> {
    let column = |option: &str| -> Result<String, StoreError> {
        let name = text(definition, option)?;
        identifier::check("field", name)?;
        Ok(name.to_owned())
    };
    let (through, other_key) = match kind {
        AssociationKind::BelongsToMany => (Some(column("through")?), Some(column("otherKey")?)),
        AssociationKind::BelongsTo | AssociationKind::HasOne | AssociationKind::HasMany => (None, None),
    };
    Ok(Association {
        kind,
        target: column("target")?,
        foreign_key: column("foreignKey")?,
        target_key: column("targetKey")?,
        source_key: if kind == AssociationKind::BelongsTo { String::new() } else { column("sourceKey")? },
        through,
        other_key,
    })
}
