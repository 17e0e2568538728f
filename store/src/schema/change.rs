//! Changes to the schema: tables, columns and indexes together with the rows that define them.
//!
//! Everything happens inside the writer's transaction; readers get the new schema after the commit.

use std::sync::Arc;

use sea_query::{DeleteStatement, Expr, ExprTrait as _, InsertStatement, Table, UpdateStatement};
use serde_json::Value;

use super::{Collection, Field, Generated, Origin, definition, identifier};
use crate::{
    Record, codec,
    db::{Tx, dialect},
    error::StoreError,
};

/// What makes up the table; it cannot be changed later.
const STRUCTURAL: [&str; 8] =
    ["name", "fields", "autoGenId", "filterTargetKey", "createdAt", "updatedAt", "createdBy", "updatedBy"];

impl Tx {
    /// Makes a collection from `collections:create` values: `{name, title, fields[], createdAt, updatedAt, createdBy,
    /// updatedBy, filterTargetKey, autoGenId}`. `id`, `createdAt` and `updatedAt` are made unless switched off,
    /// `createdBy` and `updatedBy` only if asked for.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for a bad name, a taken name, an unknown type, a dangling association.
    pub async fn create_collection(&mut self, definition: &Record) -> Result<Arc<Collection>, StoreError> {
        self.hold_schema().await?;
        let mut options = definition.clone();
        let given = match options.shift_remove("fields") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(fields)) => fields,
            Some(_) => return Err(StoreError::invalid_value("fields", "a list is expected")),
        };
        let name = definition::text(&options, "name")?.to_owned();
        identifier::check("collection", &name)?;
        if dialect::is_reserved_table(&name) {
            return Err(StoreError::invalid("INVALID_NAME", format!("the name {name} is the database's own")));
        }
        if self.schema().collections().any(|other| identifier::clash(&other.name, &name)) {
            return Err(StoreError::invalid("NAME_TAKEN", format!("collection {name} exists already")));
        }

        let (mut scalars, mut associations) = (Vec::new(), Vec::new());
        for value in with_system_fields(&options, given)? {
            if definition::association_kind(&value).is_some() {
                associations.push(value);
            } else {
                scalars.push(definition::field(&value)?);
            }
        }
        for (index, field) in scalars.iter().enumerate() {
            check_unused(scalars.iter().take(index), &field.name)?;
        }
        if scalars.is_empty() {
            return Err(StoreError::invalid_value("fields", "a collection needs a field of its own"));
        }
        let collection = definition::collection(options, scalars)?;

        self.create_table(&collection).await?;
        self.store_collection(&collection).await?;
        for field in &collection.fields {
            self.store_field(&name, field).await?;
        }
        self.replace(collection);
        for association in associations {
            self.create_field(&name, &association).await?;
        }
        self.schema().collection(&name).cloned()
    }

    /// Changes a collection's title and other options that do not change its table.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for a built-in collection and for options that make up the table.
    pub async fn update_collection(&mut self, name: &str, options: &Record) -> Result<Arc<Collection>, StoreError> {
        self.hold_schema().await?;
        let mut collection = self.changeable(name)?;
        for (option, value) in options {
            if STRUCTURAL.contains(&option.as_str()) && collection.options.get(option) != Some(value) {
                return Err(StoreError::invalid_value(option, "cannot be changed"));
            }
            collection.options.insert(option.clone(), value.clone());
        }
        collection.title = collection.options.get("title").and_then(Value::as_str).map(str::to_owned);
        let statement = UpdateStatement::new()
            .table("collections")
            .value("title", collection.title.clone())
            .value("options", stored_options(&collection.options, &["name", "title"]))
            .and_where(Expr::col("name").eq(name))
            .take();
        self.execute(&statement).await?;
        self.replace(collection);
        self.schema().collection(name).cloned()
    }

    /// Drops a collection with its table, and the association fields that lead to it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for a built-in or unknown collection.
    pub async fn destroy_collection(&mut self, name: &str) -> Result<(), StoreError> {
        self.hold_schema().await?;
        self.changeable(name)?;
        let leads_here = |field: &Field| {
            field
                .association()
                .is_some_and(|association| association.target == name || association.through.as_deref() == Some(name))
        };
        let others: Vec<Arc<Collection>> = self
            .schema()
            .collections()
            .filter(|other| other.origin == Origin::User && other.name != name && other.fields.iter().any(leads_here))
            .cloned()
            .collect();
        for other in others {
            let mut other = Collection::clone(&other);
            for field in other.fields.extract_if(.., |field| leads_here(field)) {
                self.forget_field(&other.name, &field.name).await?;
            }
            self.replace(other);
        }
        self.define(&Table::drop().table(name.to_owned()).take()).await?;
        let statement = DeleteStatement::new().from_table("collections").and_where(Expr::col("name").eq(name)).take();
        self.execute(&statement).await?;
        let schema = self.schema().without(name);
        self.set_schema(Arc::new(schema));
        Ok(())
    }

    /// Adds a field, with the columns that an association needs: a missing foreign key on either side, a missing
    /// collection between the two.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for a bad or taken name, an unknown type, a target that does not exist
    /// (`DANGLING_ASSOCIATION`); [`StoreError::NotUnique`] if a unique field's default is not unique among the records.
    pub async fn create_field(&mut self, collection: &str, definition: &Record) -> Result<Field, StoreError> {
        self.hold_schema().await?;
        let mut collection = self.changeable(collection)?;
        let mut definition = definition.clone();
        if let Some(kind) = definition::association_kind(&definition) {
            definition::complete_association(&mut definition, kind, &collection, self.schema())?;
        }
        let field = definition::field(&definition)?;
        check_unused(collection.fields.iter(), &field.name)?;
        if let Some(association) = field.association().cloned() {
            self.prepare_association(&collection, &field.name, &association).await?;
            // The collection may have got a foreign key.
            collection = self.changeable(&collection.name)?;
            check_unused(collection.fields.iter(), &field.name)?;
        } else {
            let flag = |option| definition.get(option).and_then(codec::boolean) == Some(true);
            if flag("primaryKey") || field.generated == Some(Generated::Sequence) {
                return Err(StoreError::invalid_value(&field.name, "a key is made together with its collection"));
            }
            self.add_column(&collection.name, &field).await?;
        }
        self.store_field(&collection.name, &field).await?;
        collection.fields.push(field.clone());
        self.replace(collection);
        Ok(field)
    }

    /// Drops a field and its column. The foreign key of an association stays.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for an unknown field, a key, or a column that an association needs (`FIELD_IN_USE`).
    pub async fn destroy_field(&mut self, collection: &str, field: &str) -> Result<(), StoreError> {
        self.hold_schema().await?;
        let mut collection = self.changeable(collection)?;
        let (is_scalar, is_sequence) = {
            let field = collection.field(field)?;
            (field.association().is_none(), field.generated == Some(Generated::Sequence))
        };
        if is_scalar {
            if is_sequence
                || collection.key.iter().any(|key| key == field)
                || self.schema().joins_over(&collection.name, field)
            {
                return Err(StoreError::invalid(
                    "FIELD_IN_USE",
                    format!("{field} is a key of {} or of an association", collection.name),
                ));
            }
            self.drop_column(&collection.name, field).await?;
        }
        self.forget_field(&collection.name, field).await?;
        collection.fields.retain(|other| other.name != field);
        self.replace(collection);
        Ok(())
    }

    /// A copy of a collection that was made at run time.
    pub(super) fn changeable(&self, name: &str) -> Result<Collection, StoreError> {
        let collection = self.schema().collection(name)?;
        match collection.origin {
            Origin::User => Ok(Collection::clone(collection)),
            Origin::BuiltIn => Err(StoreError::invalid("BUILT_IN", format!("collection {name} is built in"))),
            Origin::Further => {
                Err(StoreError::invalid("MAIN_ONLY", format!("the structure of {name} is its database's")))
            }
        }
    }

    pub(super) fn replace(&mut self, collection: Collection) {
        let schema = self.schema().with(collection);
        self.set_schema(Arc::new(schema));
    }

    async fn store_collection(&mut self, collection: &Collection) -> Result<(), StoreError> {
        let options = stored_options(&collection.options, &["name", "title"]);
        let statement = InsertStatement::new()
            .into_table("collections")
            .columns(["name", "title", "options"])
            .values_panic([collection.name.clone().into(), collection.title.clone().into(), options.into()])
            .take();
        self.execute(&statement).await.map(drop)
    }

    pub(super) async fn store_field(&mut self, collection: &str, field: &Field) -> Result<(), StoreError> {
        let type_name = definition::text(&field.options, "type")?.to_owned();
        let options = stored_options(&field.options, &["name", "type"]);
        let statement = InsertStatement::new()
            .into_table("fields")
            .columns(["collectionName", "name", "type", "options"])
            .values_panic([collection.to_owned().into(), field.name.clone().into(), type_name.into(), options.into()])
            .take();
        self.execute(&statement).await.map(drop)
    }

    async fn forget_field(&mut self, collection: &str, field: &str) -> Result<(), StoreError> {
        let statement = DeleteStatement::new()
            .from_table("fields")
            .and_where(Expr::col("collectionName").eq(collection))
            .and_where(Expr::col("name").eq(field))
            .take();
        self.execute(&statement).await.map(drop)
    }
}

/// The given fields, and those the options ask for that are not among them: the id first, the stamps last.
fn with_system_fields(options: &Record, given: Vec<Value>) -> Result<Vec<Record>, StoreError> {
    let has = |name: &str| {
        given
            .iter()
            .any(|field| field.get("name").and_then(Value::as_str).is_some_and(|given| identifier::clash(given, name)))
    };
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for field in definition::system_fields(options) {
        match field.get("name").and_then(Value::as_str) {
            Some(name) if has(name) => {}
            Some("id") => first.push(field),
            Some(_) | None => last.push(field),
        }
    }
    first
        .into_iter()
        .chain(given)
        .chain(last)
        .map(|field| match field {
            Value::Object(definition) => Ok(definition),
            _ => Err(StoreError::invalid_value("fields", "each field has to be an object")),
        })
        .collect()
}

pub(super) fn check_unused<'f>(mut fields: impl Iterator<Item = &'f Field>, name: &str) -> Result<(), StoreError> {
    match fields.find(|field| identifier::clash(&field.name, name)) {
        Some(taken) => Err(StoreError::invalid("NAME_TAKEN", format!("field {} exists already", taken.name))),
        None => Ok(()),
    }
}

fn stored_options(options: &Record, beside: &[&str]) -> String {
    let rest: Record = options
        .iter()
        .filter(|(option, _)| !beside.contains(&option.as_str()))
        .map(|(option, value)| (option.clone(), value.clone()))
        .collect();
    Value::Object(rest).to_string()
}
