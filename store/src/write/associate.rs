//! Links between existing records.

use serde_json::Value;

use super::{KeyValue, nested::own_cell};
use crate::{
    Record, codec,
    db::{Cell, Tx},
    error::StoreError,
    id::UserId,
    query::Filter,
    schema::{Association, AssociationKind, Collection, Join},
};

/// What happens to the links of an association.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssociationChange {
    /// These too.
    Add,
    /// These and no others.
    Set,
    /// Not these any more.
    Remove,
}

impl Tx {
    /// Links records to a source record's to-many (or to-one) association.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] without the source; [`StoreError::Invalid`] for a target that does not exist, and for
    /// unlinking where the foreign key must have a value.
    pub async fn associate(
        &mut self,
        collection: &Collection,
        source: &KeyValue,
        association: &Association,
        targets: &[KeyValue],
        change: AssociationChange,
    ) -> Result<(), StoreError> {
        let by_key = Filter::by_key(collection, source)?;
        let record = self.rows_matching(collection, &by_key).await?.into_iter().next();
        let record = record.ok_or_else(|| StoreError::NotFound { what: format!("{} {source}", collection.name) })?;
        let target = self.target(association)?;
        let mut linked = Vec::with_capacity(targets.len());
        for key in targets {
            linked.push(self.existing(&target, association, &association.target, key).await?);
        }
        match association.kind {
            AssociationKind::BelongsTo => {
                let column = collection.field(&association.foreign_key)?;
                let current = record.get(&association.foreign_key).unwrap_or(&Value::Null);
                let cell = match (change, linked.last()) {
                    (AssociationChange::Add | AssociationChange::Set, Some(related)) => {
                        cell_of(&target, &association.target_key, related)?
                    }
                    (AssociationChange::Set, None) => Cell::Null,
                    (AssociationChange::Remove, _)
                        if linked.iter().any(|related| related.get(&association.target_key) == Some(current)) =>
                    {
                        Cell::Null
                    }
                    (AssociationChange::Add, None) | (AssociationChange::Remove, _) => return Ok(()),
                };
                if cell == Cell::Null && column.required {
                    return Err(super::values::required(column));
                }
                self.update_rows(collection, &by_key, &[(column, cell)], None).await.map(drop)
            }
            AssociationKind::HasOne | AssociationKind::HasMany | AssociationKind::BelongsToMany => {
                let own = own_cell(collection, association, &record)?;
                // A to-one association has room for one.
                let change = match (association.kind, change) {
                    (AssociationKind::HasOne, AssociationChange::Add) => AssociationChange::Set,
                    (_, change) => change,
                };
                self.link(association, own, &linked, change, None).await
            }
        }
    }

    /// Changes which records an association whose foreign key is elsewhere leads to. `own` is what those keys hold.
    pub(super) async fn link(
        &mut self,
        association: &Association,
        own: Cell,
        linked: &[Record],
        change: AssociationChange,
        author: Option<UserId>,
    ) -> Result<(), StoreError> {
        match association.join() {
            Join::Through { through, other_key } => {
                self.link_through(association, (through, other_key), own, linked, change, author).await
            }
            Join::BelongsTo | Join::Has => self.link_foreign_key(association, own, linked, change).await,
        }
    }

    async fn link_foreign_key(
        &mut self,
        association: &Association,
        own: Cell,
        linked: &[Record],
        change: AssociationChange,
    ) -> Result<(), StoreError> {
        let target = self.target(association)?;
        super::check_writable(&target)?;
        let column = target.field(&association.foreign_key)?;
        let key = &association.target_key;
        let keys: Vec<Cell> = linked.iter().map(|record| cell_of(&target, key, record)).collect::<Result<_, _>>()?;
        let here = Filter::equal(column, own.clone());
        let these = Filter::one_of(target.field(key)?, keys.clone());

        let unlinked = match change {
            AssociationChange::Add => None,
            AssociationChange::Set => Some(here.and(these.clone().negate())),
            AssociationChange::Remove => Some(here.and(these.clone())),
        };
        if let Some(unlinked) = unlinked {
            if column.required {
                if !self.rows_matching(&target, &unlinked).await?.is_empty() {
                    return Err(super::values::required(column));
                }
            } else {
                self.set_column(&target, column, Cell::Null, &unlinked).await?;
            }
        }
        match change {
            AssociationChange::Add | AssociationChange::Set if !keys.is_empty() => {
                self.set_column(&target, column, own, &these).await
            }
            AssociationChange::Add | AssociationChange::Set | AssociationChange::Remove => Ok(()),
        }
    }

    async fn link_through(
        &mut self,
        association: &Association,
        (through, other_key): (&str, &str),
        own: Cell,
        linked: &[Record],
        change: AssociationChange,
        author: Option<UserId>,
    ) -> Result<(), StoreError> {
        let target = self.target(association)?;
        let through = self.schema().collection(through)?.clone();
        super::check_writable(&through)?;
        let own_column = through.field(&association.foreign_key)?;
        let other_column = through.field(other_key)?;
        let keys: Vec<Cell> =
            linked.iter().map(|record| cell_of(&target, &association.target_key, record)).collect::<Result<_, _>>()?;
        let here = Filter::equal(own_column, own.clone());
        let these = Filter::one_of(other_column, keys.clone());

        match change {
            AssociationChange::Remove => return self.unlink_rows(&through, &here.and(these)).await,
            AssociationChange::Set => self.unlink_rows(&through, &here.clone().and(these.negate())).await?,
            AssociationChange::Add => {}
        }
        if keys.is_empty() {
            return Ok(());
        }
        let mut present: Vec<Cell> = Vec::new();
        for record in self.rows_matching(&through, &here).await? {
            present.push(cell_of(&through, other_key, &record)?);
        }
        for key in keys {
            if !present.contains(&key) {
                present.push(key.clone());
                self.insert_row(&through, vec![(own_column, own.clone()), (other_column, key)], author).await?;
            }
        }
        Ok(())
    }
}

/// A column's value in its stored form.
fn cell_of(collection: &Collection, column: &str, record: &Record) -> Result<Cell, StoreError> {
    codec::operand(collection.field(column)?, record.get(column).unwrap_or(&Value::Null))
}
