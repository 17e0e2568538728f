//! Appended associations: one statement per path, for all records of a level together.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures::{FutureExt as _, future::BoxFuture};
use sea_query::{Expr, ExprTrait as _, JoinType, Query};
use serde_json::Value;

use super::{
    order_by_key,
    plan::{Child, Plan},
};
use crate::{
    Record, codec,
    db::{Cell, Conn},
    error::StoreError,
    schema::{Collection, Join},
};

impl Conn {
    /// Puts the associations of a plan into records that were read by it.
    pub(crate) fn load_appends<'c>(
        &'c mut self,
        plan: &'c Plan,
        records: &'c mut [Record],
    ) -> BoxFuture<'c, Result<(), StoreError>> {
        async move {
            for child in &plan.children {
                self.load_child(&plan.collection, child, records).await?;
            }
            Ok(())
        }
        .boxed()
    }

    async fn load_child(
        &mut self,
        source: &Collection,
        child: &Child,
        records: &mut [Record],
    ) -> Result<(), StoreError> {
        let association = &child.association;
        let source_column = association.source_column();
        let target = &child.plan.collection;

        // The column that tells which source a row belongs to, and where it is.
        let (group_owner, group_column) = match association.join() {
            Join::BelongsTo | Join::Has => (Arc::clone(target), association.target_column()),
            Join::Through { through, .. } => {
                (Arc::clone(self.schema().collection(through)?), association.foreign_key.as_str())
            }
        };
        let group_field = group_owner.field(group_column)?;
        let mut seen = HashSet::new();
        let keys: Vec<Cell> = records
            .iter()
            .filter_map(|record| record.get(source_column))
            .filter(|value| !value.is_null() && seen.insert(identity(value)))
            // A value that does not even fit the column's type matches nothing.
            .filter_map(|value| codec::operand(group_field, value).ok())
            .collect();

        let mut related = Vec::new();
        let mut groups = Vec::new();
        if !keys.is_empty() {
            let group = Expr::col((group_owner.name.clone(), group_column.to_owned()));
            let mut statement = Query::select();
            statement.expr(group_field.selected(group.clone()));
            child.plan.add_columns(&mut statement);
            statement.from(target.name.clone());
            if let Join::Through { through, other_key } = association.join() {
                let other = Expr::col((through.to_owned(), other_key.to_owned()));
                let own = Expr::col((target.name.clone(), association.target_column().to_owned()));
                statement.join(JoinType::InnerJoin, through.to_owned(), own.eq(other));
            }
            statement.and_where(group_field.is_one_of(self.dialect(), group, keys));
            order_by_key(&mut statement, target, &target.name);
            for row in self.fetch_all(&statement).await? {
                groups.push(identity(&codec::decode(group_field, row.cell(0)?)?));
                related.push(child.plan.read_at(&row, 1)?);
            }
            self.load_appends(&child.plan, &mut related).await?;
        }

        let mut by_group: HashMap<String, Vec<Value>> = HashMap::new();
        for (group, record) in groups.into_iter().zip(related) {
            by_group.entry(group).or_default().push(Value::Object(record));
        }
        let source_field = source.field(source_column)?;
        for record in records {
            let matching = record
                .get(&source_field.name)
                .filter(|value| !value.is_null())
                .and_then(|value| by_group.get(&identity(value)));
            let value = if association.kind.is_to_one() {
                matching.and_then(|matching| matching.first().cloned()).unwrap_or(Value::Null)
            } else {
                Value::Array(matching.cloned().unwrap_or_default())
            };
            record.insert(child.name.clone(), value);
        }
        Ok(())
    }
}

/// Equal for equal keys, whether they came as numbers or as texts.
pub(super) fn identity(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
