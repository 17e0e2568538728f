//! What a read fetches: per collection on the way, the columns and the associations to follow.

use std::{collections::HashSet, sync::Arc};

use sea_query::{Expr, Query, SelectStatement};
use serde_json::Value;

use super::{Filter, MAX_DEPTH, Select, target};
use crate::{
    Record, codec,
    db::{Dialect, Row},
    error::StoreError,
    schema::{Association, Collection, Schema},
};

/// One node of the tree: what to read of one collection.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) collection: Arc<Collection>,
    /// Indexes into the collection's fields, in order: what is shown, what identifies, what is joined over.
    columns: Vec<usize>,
    /// Names that stay in the answer.
    shown: HashSet<String>,
    pub(super) children: Vec<Child>,
}

/// An appended association.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) name: String,
    pub(super) association: Association,
    pub(super) plan: Plan,
}

impl Plan {
    /// Checks a selection and plans it.
    pub(crate) fn new(schema: &Schema, collection: &Arc<Collection>, select: &Select) -> Result<Self, StoreError> {
        Self::at(schema, collection, select, 0)
    }

    fn at(schema: &Schema, collection: &Arc<Collection>, select: &Select, depth: usize) -> Result<Self, StoreError> {
        if depth > MAX_DEPTH {
            return Err(StoreError::invalid("INVALID_VALUE", format!("appends go at most {MAX_DEPTH} levels deep")));
        }
        let mut shown: HashSet<String> = HashSet::new();
        let mut appended: Vec<(&str, Select)> = Vec::new();
        if select.fields.is_empty() {
            shown.extend(collection.scalars().map(|field| field.name.clone()));
        }
        for path in &select.fields {
            let (name, rest) = split(path);
            match (collection.field(name)?.association(), rest) {
                (Some(_), rest) => {
                    let child = child_select(&mut appended, name);
                    child.fields.extend(rest.map(str::to_owned));
                }
                (None, None) => drop(shown.insert(name.to_owned())),
                (None, Some(_)) => return Err(no_association(collection, name)),
            }
        }
        for path in &select.appends {
            let (name, rest) = split(path);
            if collection.field(name)?.association().is_none() {
                return Err(no_association(collection, name));
            }
            child_select(&mut appended, name).appends.extend(rest.map(str::to_owned));
        }
        for path in &select.except {
            let (name, rest) = split(path);
            collection.field(name)?;
            match rest {
                Some(rest) => {
                    if let Some((_, child)) = appended.iter_mut().find(|(appended, _)| *appended == name) {
                        child.except.push(rest.to_owned());
                    }
                }
                None => {
                    shown.remove(name);
                    appended.retain(|(appended, _)| *appended != name);
                }
            }
        }
        shown.retain(|name| collection.find_field(name).is_some_and(|field| !field.hidden));

        let mut children = Vec::with_capacity(appended.len());
        for (name, select) in appended {
            let Some(association) = collection.association(name) else { continue };
            let plan = Self::at(schema, target(schema, association)?, &select, depth + 1)?;
            children.push(Child { name: name.to_owned(), association: association.clone(), plan });
        }
        let needed = |name: &str| {
            shown.contains(name)
                || collection.key.iter().any(|key| key == name)
                || children.iter().any(|child| child.association.source_column() == name)
        };
        let columns = collection
            .fields
            .iter()
            .enumerate()
            .filter(|(_, field)| field.association().is_none() && needed(&field.name))
            .map(|(index, _)| index)
            .collect();
        shown.extend(children.iter().map(|child| child.name.clone()));
        Ok(Self { collection: Arc::clone(collection), columns, shown, children })
    }

    /// Reads the matching records of the collection.
    pub(super) fn statement(&self, dialect: Dialect, filter: &Filter) -> SelectStatement {
        let table = &self.collection.name;
        let mut statement = Query::select();
        self.add_columns(&mut statement);
        statement.from(table.clone()).cond_where(filter.compile(dialect, table));
        statement
    }

    /// Adds the columns to a statement in which the table goes by its own name.
    pub(super) fn add_columns(&self, statement: &mut SelectStatement) {
        for &index in &self.columns {
            let field = &self.collection.fields[index];
            statement.expr(field.selected(Expr::col((self.collection.name.clone(), field.name.clone()))));
        }
        if self.columns.is_empty() {
            statement.expr(Expr::cust("NULL"));
        }
    }

    /// Reads the rows of [`statement`](Self::statement).
    pub(super) fn read(&self, rows: &[Row]) -> Result<Vec<Record>, StoreError> {
        rows.iter().map(|row| self.read_at(row, 0)).collect()
    }

    /// Reads a row whose first columns are somebody else's.
    pub(super) fn read_at(&self, row: &Row, first: usize) -> Result<Record, StoreError> {
        let mut record = Record::with_capacity(self.columns.len());
        for (position, &index) in self.columns.iter().enumerate() {
            let field = &self.collection.fields[index];
            record.insert(field.name.clone(), codec::decode(field, row.cell(first + position)?)?);
        }
        Ok(record)
    }

    /// Takes away what was fetched only to join or to identify.
    pub(crate) fn strip_all(&self, records: &mut [Record]) {
        for record in records {
            self.strip(record);
        }
    }

    pub(crate) fn strip(&self, record: &mut Record) {
        record.retain(|name, _| self.shown.contains(name));
        for child in &self.children {
            match record.get_mut(&child.name) {
                Some(Value::Object(related)) => child.plan.strip(related),
                Some(Value::Array(items)) => {
                    for item in items {
                        if let Value::Object(related) = item {
                            child.plan.strip(related);
                        }
                    }
                }
                Some(_) | None => {}
            }
        }
    }
}

fn split(path: &str) -> (&str, Option<&str>) {
    match path.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    }
}

fn child_select<'s, 'n>(appended: &'s mut Vec<(&'n str, Select)>, name: &'n str) -> &'s mut Select {
    let index = appended.iter().position(|(appended, _)| *appended == name).unwrap_or_else(|| {
        appended.push((name, Select::default()));
        appended.len() - 1
    });
    &mut appended[index].1
}

fn no_association(collection: &Collection, name: &str) -> StoreError {
    StoreError::invalid("UNKNOWN_FIELD", format!("{}.{name} is no association", collection.name))
}
