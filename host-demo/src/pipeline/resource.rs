//! Which records an address means: those of a collection, or those a source record is associated with.

use std::sync::Arc;

use serde_json::{Value, json};
use store::{AssociationKind, Collection, Conn, Filter, Find, Record, Schema, Select, schema::Association};

use crate::{
    access::{RequestContext, Right},
    http::{address::Address, error::ApiError},
};

/// A resolved address.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    /// The collection of the records themselves.
    pub(crate) collection: Arc<Collection>,
    /// Set for an association resource.
    pub(crate) source: Option<SourceRef>,
    /// The key at the end of the path.
    pub(crate) key: Option<Value>,
}

/// The record and association that an association resource hangs from.
#[derive(Debug, Clone)]
pub(crate) struct SourceRef {
    /// Its collection.
    pub(crate) collection: Arc<Collection>,
    /// The association field.
    pub(crate) name: String,
    /// Where it leads.
    pub(crate) association: Association,
    /// The key of the record.
    pub(crate) key: Value,
}

impl Resource {
    /// Looks the names up.
    ///
    /// # Errors
    ///
    /// 404 for names that are not there.
    pub(crate) fn resolve(schema: &Schema, address: &Address) -> Result<Self, ApiError> {
        let find = |name: &str| schema.collection(name).cloned().map_err(|_| ApiError::unknown_resource(name));
        let Some(source) = &address.source else {
            return Ok(Self { collection: find(&address.resource)?, source: None, key: address.key.clone() });
        };
        let collection = find(&source.resource)?;
        let association = collection
            .association(&address.resource)
            .cloned()
            .ok_or_else(|| ApiError::unknown_resource(&format!("{}.{}", source.resource, address.resource)))?;
        let target = find(&association.target)?;
        let source = SourceRef { collection, name: address.resource.clone(), association, key: source.key.clone() };
        Ok(Self { collection: target, source: Some(source), key: address.key.clone() })
    }
}

impl Resource {
    /// Looks the same names up in another schema.
    ///
    /// # Errors
    ///
    /// 404 for names that are not there any more.
    pub(crate) fn renew(&self, schema: &Schema) -> Result<Self, ApiError> {
        let find = |name: &str| schema.collection(name).cloned().map_err(|_| ApiError::unknown_resource(name));
        let source = match &self.source {
            None => None,
            Some(source) => {
                let collection = find(&source.collection.name)?;
                let association = collection.association(&source.name).cloned();
                let association = association.ok_or_else(|| ApiError::unknown_resource(&source.name))?;
                Some(SourceRef { collection, association, name: source.name.clone(), key: source.key.clone() })
            }
        };
        Ok(Self { collection: find(&self.collection.name)?, source, key: self.key.clone() })
    }
}

impl SourceRef {
    /// Passes roles that may see the association field of the source.
    ///
    /// # Errors
    ///
    /// [`ApiError::Forbidden`] for others.
    pub(crate) fn may_be_seen(&self, context: &RequestContext) -> Result<(), ApiError> {
        let fields = context.role().permit(&self.collection, Right::View)?;
        if fields.reach(&self.collection, &self.name) { Ok(()) } else { Err(ApiError::Forbidden) }
    }

    /// Reads the source record.
    ///
    /// # Errors
    ///
    /// 404 if it is not there.
    pub(crate) async fn record(&self, conn: &mut Conn) -> Result<Record, ApiError> {
        let mut find = Find::all(self.collection.clone());
        find.filter = Filter::by_key(&self.collection, &self.key)?;
        conn.find(&find).await?.into_iter().next().ok_or_else(|| ApiError::NotFound {
            code: "NOT_FOUND",
            what: format!("the record of \"{}\"", self.collection.name),
        })
    }

    /// Matches the records that the source record is associated with.
    ///
    /// # Errors
    ///
    /// 404 if the source record is not there.
    pub(crate) async fn scope(&self, conn: &mut Conn, target: &Arc<Collection>) -> Result<Filter, ApiError> {
        let record = self.record(conn).await?;
        let schema = conn.schema().clone();
        let value = |name: &str| record.get(name).cloned().unwrap_or(Value::Null);
        let association = &self.association;
        let (field, value) = match association.kind {
            AssociationKind::BelongsTo => (&association.target_key, value(&association.foreign_key)),
            AssociationKind::HasOne | AssociationKind::HasMany => {
                (&association.foreign_key, value(&association.source_key))
            }
            AssociationKind::BelongsToMany => {
                let select = Select { fields: target.key.clone(), ..Select::default() };
                let linked = conn
                    .follow(
                        &self.collection,
                        std::slice::from_ref(&self.key),
                        std::slice::from_ref(&self.name),
                        &select,
                    )
                    .await?;
                let keys: Vec<Value> = linked.iter().filter_map(|record| target.key_of(record)).collect();
                return Ok(Filter::by_key(target, &Value::Array(keys))?);
            }
        };
        let condition = if value.is_null() { json!({ field: {"$in": []} }) } else { json!({ field: {"$eq": value} }) };
        Ok(Filter::parse(&schema, target, &condition)?)
    }
}
