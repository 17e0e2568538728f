//! Ids of workflows, nodes, executions and jobs: where a transaction takes them from.

use std::ops::Range;

use super::{Row, Tx};
use crate::{error::StoreError, id_generator::IdGenerator};

/// Where ids come from.
pub(super) enum Ids {
    /// SQLite's writer makes them.
    Made(IdGenerator),
    /// PostgreSQL counts them; these are taken and not used yet.
    Counted(Range<i64>),
    /// A further database has nothing that needs them.
    Nobody,
}

/// Ids that PostgreSQL's sequence gives at a time.
const IDS_AT_A_TIME: i64 = 16;

/// The value of a column `"ids"`, for statements that bring ids along: see [`Tx::bring_ids`].
macro_rules! ids {
    (sqlite) => {
        "NULL"
    };
    (postgres) => {
        r#"nextval('"_engineIds"')"#
    };
}
pub(crate) use ids;

impl Tx {
    /// Makes an id for a workflow, a node, an execution or a job: larger than every one before, below 2^53.
    pub(crate) async fn next_id(&mut self) -> Result<i64, StoreError> {
        match &mut self.ids {
            Ids::Made(generator) => return Ok(generator.next(self.clock.now_ms())),
            Ids::Counted(taken) => {
                if let Some(id) = taken.next() {
                    return Ok(id);
                }
            }
            Ids::Nobody => {}
        }
        let rows = self.query(r#"SELECT nextval('"_engineIds"') AS "ids""#, []).await?;
        if let Some(row) = rows.first() {
            self.bring_ids(row)?;
        }
        match &mut self.ids {
            Ids::Counted(taken) => taken.next(),
            Ids::Made(_) | Ids::Nobody => None,
        }
        .ok_or_else(|| StoreError::Corrupt { what: "the sequence of ids".to_owned() })
    }

    /// Uses the ids that a row has brought along from now on: they are larger than all that others had taken by then.
    pub(crate) fn bring_ids(&mut self, row: &Row) -> Result<(), StoreError> {
        if let (Ids::Counted(taken), Some(first)) = (&mut self.ids, row.get::<Option<i64>>("ids")?) {
            *taken = first..first + IDS_AT_A_TIME;
        }
        Ok(())
    }

    /// Forgets ids that were taken and not used: those that follow are larger than all that others have taken by now.
    pub(crate) fn renew_ids(&mut self) {
        if let Ids::Counted(taken) = &mut self.ids {
            *taken = 0..0;
        }
    }
}
