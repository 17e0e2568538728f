//! Which tables are copied, in which order, and how to get from one batch of a table to the next.

use sea_query::{Expr, ExprTrait as _, Order, Query, SelectStatement};

use crate::{
    db::{Cell, Conn, Dialect},
    error::StoreError,
    schema::{Collection, FieldType, Generated, Origin, Schema},
};

/// The definitions of collections, which are stored together with the tables that they define.
pub(super) const DEFINITIONS: [(&str, &[&str]); 2] = [("collections", &["rowid"]), ("fields", &["id"])];

/// The host's other tables with their keys, each behind those that its foreign keys lead to.
pub(super) const OWN: [(&str, &[&str]); 18] = [
    ("users", &["id"]),
    ("roles", &["name"]),
    ("rolesUsers", &["userId", "roleName"]),
    ("dataSourceResources", &["id"]),
    ("workflows", &["id"]),
    ("flow_nodes", &["id"]),
    ("executions", &["id"]),
    ("jobs", &["id"]),
    ("workflowTasks", &["id"]),
    ("approvals", &["id"]),
    ("notifications", &["id"]),
    ("buttons", &["key"]),
    ("buttonBindings", &["id"]),
    ("workflowRemains", &["workflowId"]),
    ("workflowClocks", &["workflowId"]),
    ("workflowMarks", &["workflowId", "recordKey"]),
    ("dataSources", &["key"]),
    ("outboxReceipts", &["source", "id"]),
];

/// What belongs to hosts that live.
const LEASES: &str = "claimants";

/// Says whether a table is what a database, or a living host, keeps of itself.
pub(super) fn is_left_behind(table: &str) -> bool {
    table == LEASES || table.starts_with('_')
}

/// A table that is copied.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    /// The columns that are copied, in the source's order.
    pub(super) columns: Vec<String>,
    pub(super) cursor: Cursor,
}

/// What tells where in a table a batch ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cursor {
    /// The values of these columns, which no two rows share.
    Key(Vec<String>),
    /// Where the row lies: this name of it in SQLite, `ctid` in PostgreSQL. It may be another place in the next run.
    Place(&'static str),
}

impl Cursor {
    /// Says whether the next run can go on behind it.
    pub(super) fn outlasts_a_run(&self) -> bool {
        matches!(self, Self::Key(_))
    }

    fn of(collection: &Collection) -> Self {
        // Those that are kept as whole numbers or texts, which are written down and read again as they are.
        let is_plain = |name: &String| {
            let field = collection.find_field(name);
            field.is_some_and(|field| !matches!(field.field_type, FieldType::Double | FieldType::Association(_)))
        };
        let sequence = collection.fields.iter().find(|field| field.generated == Some(Generated::Sequence));
        match (sequence, collection.key.as_slice()) {
            (Some(field), _) => Self::Key(vec![field.name.clone()]),
            (None, [_, ..]) if collection.key.iter().all(is_plain) => Self::Key(collection.key.clone()),
            (None, _) => {
                let is_free =
                    |name: &&str| collection.fields.iter().all(|field| !field.name.eq_ignore_ascii_case(name));
                Self::Place(["_rowid_", "rowid", "oid"].into_iter().find(is_free).unwrap_or("_rowid_"))
            }
        }
    }

    fn columns(&self) -> Vec<Expr> {
        match self {
            Self::Key(columns) => columns.iter().cloned().map(Expr::col).collect(),
            Self::Place(name) => vec![Expr::col(*name)],
        }
    }
}

impl Table {
    /// The tables to be copied of a database with this schema, in order: definitions, the host's own, and those of collections.
    pub(super) async fn list(conn: &mut Conn, schema: &Schema) -> Result<Vec<Self>, StoreError> {
        let key = |key: &[&str]| Cursor::Key(key.iter().map(|&name| name.to_owned()).collect());
        let own = DEFINITIONS.iter().chain(&OWN).map(|&(name, columns)| (name.to_owned(), key(columns)));
        let made = schema.collections().filter(|collection| collection.origin == Origin::User);
        let made = made.map(|collection| (collection.name.clone(), Cursor::of(collection)));
        let mut tables = Vec::new();
        for (name, cursor) in own.chain(made) {
            let columns = conn.columns(&name).await?;
            tables.push(Self { name, columns, cursor });
        }
        Ok(tables)
    }

    /// Says whether it holds definitions.
    pub(super) fn defines(&self) -> bool {
        DEFINITIONS.iter().any(|(name, _)| *name == self.name)
    }

    /// Reads all rows in any order.
    pub(super) fn all(&self) -> SelectStatement {
        Query::select().columns(self.columns.iter().cloned()).from(self.name.clone()).take()
    }

    /// Reads the rows behind a cursor: the columns, and behind them the cursor's.
    pub(super) fn behind(&self, dialect: Dialect, cursor: Option<&[Cell]>, rows: u32) -> SelectStatement {
        let mut select = self.all();
        let in_postgres = dialect == Dialect::Postgres && !self.cursor.outlasts_a_run();
        let columns = if in_postgres { vec![Expr::col("ctid")] } else { self.cursor.columns() };
        for column in &columns {
            // Named, or PostgreSQL would sort by the text.
            select.expr_as(if in_postgres { column.clone().cast_as("text") } else { column.clone() }, "_cursor");
            select.order_by_expr(column.clone(), Order::Asc);
        }
        if let Some(cursor) = cursor {
            let value = |cell: &Cell| {
                let value = Expr::val(sea_query::Value::from(cell.clone()));
                if in_postgres { value.cast_as("tid") } else { value }
            };
            let values: Vec<Expr> = cursor.iter().map(value).collect();
            select.and_where(match (columns.as_slice(), values.as_slice()) {
                ([column], [value]) => column.clone().gt(value.clone()),
                _ => Expr::tuple(columns).gt(Expr::tuple(values)),
            });
        }
        select.limit(rows.into());
        select
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    /// A table that was added has to be copied, or to be left behind on purpose: this list is where to say so.
    #[tokio::test]
    async fn every_table_is_copied_behind_what_it_refers_to_or_left_behind() -> Result<(), StoreError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(&format!("sqlite:{}", folder.path().join("a.db").display())).await?;
        let mut conn = store.read().await?;
        let mut copied: Vec<&str> = DEFINITIONS.iter().chain(&OWN).map(|(name, _)| *name).collect();
        for (position, table) in copied.iter().enumerate() {
            let referred = r#"SELECT "table" FROM pragma_foreign_key_list(?)"#;
            for row in conn.query(referred, [(*table).into()]).await? {
                let other: String = row.get("table")?;
                assert!(copied[..position].contains(&&*other), "{table} comes before {other}");
            }
        }
        let mut there = conn.tables().await?;
        there.retain(|name| !is_left_behind(name));
        there.sort();
        copied.sort_unstable();
        assert_eq!(there, copied);
        Ok(())
    }
}
