//! Following association paths from given records to the records at their end.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde_json::Value;

use super::{Filter, Plan, Select, load::identity, target};
use crate::{Record, codec, db::Conn, error::StoreError, schema::Collection};

impl Conn {
    /// Follows association fields from the records with these keys, and reads the distinct records at their end, in the
    /// order of the sources. An empty path reads the records themselves. One statement per segment and append.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] if a segment is no association.
    pub async fn follow(
        &mut self,
        collection: &Arc<Collection>,
        keys: &[Value],
        path: &[String],
        select: &Select,
    ) -> Result<Vec<Record>, StoreError> {
        let schema = Arc::clone(self.schema());
        let mut end = collection;
        for segment in path {
            let association = end.association(segment).ok_or_else(|| {
                StoreError::invalid("UNKNOWN_FIELD", format!("{}.{segment} is no association", end.name))
            })?;
            end = target(&schema, association)?;
        }
        let plan = Plan::new(&schema, collection, &prefixed(path, select, end))?;
        let filter = Filter::by_key(collection, &Value::Array(keys.to_vec()))?;
        let records = plan.read(&self.fetch_all(&plan.statement(self.dialect(), &filter)).await?)?;
        let mut records = in_order_of(collection, keys, records)?;
        self.load_appends(&plan, &mut records).await?;

        let mut last = &plan;
        for segment in path {
            let mut next = Vec::new();
            for mut record in records {
                match record.remove(segment) {
                    Some(Value::Object(related)) => next.push(related),
                    Some(Value::Array(items)) => next.extend(items.into_iter().filter_map(|item| match item {
                        Value::Object(related) => Some(related),
                        _ => None,
                    })),
                    Some(_) | None => {}
                }
            }
            records = next;
            if let Some(child) = last.children.iter().find(|child| child.name == *segment) {
                last = &child.plan;
            }
            let mut seen = HashSet::new();
            let on_the_way = &last.collection;
            records.retain(|record| on_the_way.key_of(record).is_none_or(|key| seen.insert(key.to_string())));
        }
        last.strip_all(&mut records);
        Ok(records)
    }
}

/// The selection at the end of a path, seen from its beginning. Nothing else is shown on the way.
fn prefixed(path: &[String], select: &Select, end: &Collection) -> Select {
    if path.is_empty() {
        return select.clone();
    }
    let prefix = path.join(".");
    let under = |paths: &[String]| paths.iter().map(|path| format!("{prefix}.{path}")).collect::<Vec<_>>();
    let mut fields = under(&select.fields);
    if fields.is_empty() {
        fields = end.scalars().map(|field| format!("{prefix}.{}", field.name)).collect();
    }
    Select { fields, except: under(&select.except), appends: under(&select.appends) }
}

/// Puts records in the order of the keys that were asked for, each once.
fn in_order_of(collection: &Collection, keys: &[Value], records: Vec<Record>) -> Result<Vec<Record>, StoreError> {
    let mut by_key: HashMap<Vec<String>, Record> = records
        .into_iter()
        .map(|record| (collection.key.iter().map(|name| member(&record, name)).collect(), record))
        .collect();
    let mut ordered = Vec::with_capacity(by_key.len());
    for key in keys {
        let mut identities = Vec::with_capacity(collection.key.len());
        for name in &collection.key {
            let field = collection.field(name)?;
            let value = key.get(name).unwrap_or(key);
            // Through the stored form, so that "5" finds 5.
            identities.push(identity(&codec::decode(field, codec::operand(field, value)?)?));
        }
        ordered.extend(by_key.remove(&identities));
    }
    Ok(ordered)
}

fn member(record: &Record, name: &str) -> String {
    record.get(name).map(identity).unwrap_or_default()
}
