//! Foreign keys that are given as plain columns have to lead somewhere, like those given as associations.
//!
//! There are no database constraints between run-time collections: this, and the clearing of foreign keys when a record is
//! deleted, is what keeps them whole. Further databases have constraints of their own.

use sea_query::{Expr, LockType, Query};

use crate::{
    db::{Cell, Tx},
    error::StoreError,
    query::Filter,
    schema::{AssociationKind, Collection, Field, Origin},
};

impl Tx {
    /// Refuses a foreign key of a `belongsTo` association that leads to no record. `null` leads nowhere by intent.
    pub(super) async fn check_foreign_keys(
        &mut self,
        collection: &Collection,
        given: &[(&Field, Cell)],
    ) -> Result<(), StoreError> {
        if collection.origin == Origin::Further {
            return Ok(());
        }
        for (column, cell) in given.iter().filter(|(_, cell)| *cell != Cell::Null) {
            let associations = collection.fields.iter().filter_map(Field::association);
            let own = associations.filter(|association| {
                association.kind == AssociationKind::BelongsTo && association.foreign_key == column.name
            });
            for association in own {
                let target = self.target(association)?;
                let filter = Filter::equal(target.field(&association.target_key)?, cell.clone());
                let mut statement = Query::select();
                statement
                    .expr(Expr::val(1))
                    .from(target.name.clone())
                    .cond_where(filter.compile(self.dialect(), &target.name))
                    .limit(1)
                    // It is not deleted before this is stored.
                    .lock(LockType::KeyShare);
                if self.fetch_optional(&statement).await?.is_none() {
                    let message = format!("{}: there is no such record in {}", column.name, target.name);
                    return Err(StoreError::invalid("DANGLING_ASSOCIATION", message));
                }
            }
        }
        Ok(())
    }
}
