//! Collections, fields and associations: an immutable snapshot that readers share and the writer replaces.
//!
//! Built-in collections are written down in the program; those made at run time are rows of `collections` and `fields`,
//! read once at the start. Every name that becomes part of a statement has passed `identifier` before it gets here.

mod association;
mod built_in;
mod change;
mod collection;
mod definition;
mod field;
pub(crate) mod identifier;
mod join;
mod table;

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;

use crate::{
    Record,
    db::{Conn, Dialect, Row},
    error::StoreError,
};

pub(crate) use association::Join;
pub use association::{Association, AssociationKind};
pub use collection::{Collection, Origin};
pub use field::{Field, FieldType, Generated};

/// All collections at one moment.
#[derive(Debug, Clone)]
pub struct Schema {
    order: Vec<Arc<Collection>>,
    by_name: HashMap<String, Arc<Collection>>,
    dialect: Dialect,
    /// Rises with every change that is committed, where processes tell each other so.
    version: i64,
    is_further: bool,
}

impl Default for Schema {
    fn default() -> Self {
        Self::built_in(Dialect::default())
    }
}

impl Schema {
    /// The schema of a new database.
    pub(crate) fn built_in(dialect: Dialect) -> Self {
        Self::ordered(built_in::collections().into_iter().map(Arc::new).collect(), dialect, 0)
    }

    fn ordered(order: Vec<Arc<Collection>>, dialect: Dialect, version: i64) -> Self {
        let by_name = order.iter().map(|collection| (collection.name.clone(), Arc::clone(collection))).collect();
        Self { order, by_name, dialect, version, is_further: false }
    }

    /// The database that the collections are in.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Larger than that of every schema before it; 0 where there is one process only.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The schema of a further database.
    pub(crate) fn further(dialect: Dialect, collections: Vec<Collection>) -> Self {
        let order = collections.into_iter().map(Arc::new).collect();
        Self { is_further: true, ..Self::ordered(order, dialect, 0) }
    }

    /// Says whether it is that of a further database, whose structure is somebody else's.
    pub fn is_further(&self) -> bool {
        self.is_further
    }

    /// The schema with a collection added or replaced.
    #[must_use]
    pub fn with(&self, collection: Collection) -> Self {
        let collection = Arc::new(collection);
        let mut order = self.order.clone();
        match order.iter_mut().find(|other| other.name == collection.name) {
            Some(place) => *place = collection,
            None => order.push(collection),
        }
        Self::ordered(order, self.dialect, self.version)
    }

    fn without(&self, name: &str) -> Self {
        let order = self.order.iter().filter(|collection| collection.name != name).cloned().collect();
        Self::ordered(order, self.dialect, self.version)
    }

    /// Finds a collection by name.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] with `UNKNOWN_COLLECTION`.
    pub fn collection(&self, name: &str) -> Result<&Arc<Collection>, StoreError> {
        self.by_name
            .get(name)
            .ok_or_else(|| StoreError::invalid("UNKNOWN_COLLECTION", format!("collection {name} does not exist")))
    }

    /// All collections, built-in ones first.
    pub fn collections(&self) -> impl Iterator<Item = &Arc<Collection>> {
        self.order.iter()
    }
}

impl Conn {
    /// Reads the whole schema, as at the start.
    pub(crate) async fn load_schema(&mut self) -> Result<Schema, StoreError> {
        let version = match self.dialect() {
            Dialect::Sqlite | Dialect::Mysql => 0,
            Dialect::Postgres => {
                let rows = self.query(r#"SELECT "version" FROM "_schemaVersion""#, []).await?;
                rows.first().map_or(Ok(0), |row| row.get("version"))?
            }
        };
        let mut fields: HashMap<String, Vec<Field>> = HashMap::new();
        for row in self.query("SELECT * FROM fields ORDER BY id", []).await? {
            let collection: String = row.get("collectionName")?;
            let mut definition = Record::new();
            definition.insert("name".to_owned(), Value::String(row.get("name")?));
            definition.insert("type".to_owned(), Value::String(row.get("type")?));
            definition.extend(options(&row)?);
            let field = definition::field(&definition).map_err(|error| corrupt(&collection, &error))?;
            fields.entry(collection).or_default().push(field);
        }
        let mut schema = Schema::built_in(self.dialect());
        for row in self.query("SELECT * FROM collections ORDER BY rowid", []).await? {
            let name: String = row.get("name")?;
            let mut definition = Record::new();
            definition.insert("name".to_owned(), Value::String(name.clone()));
            if let Some(title) = row.get::<Option<String>>("title")? {
                definition.insert("title".to_owned(), Value::String(title));
            }
            definition.extend(options(&row)?);
            let fields = fields.remove(&name).unwrap_or_default();
            let collection = definition::collection(definition, fields).map_err(|error| corrupt(&name, &error))?;
            schema.order.push(Arc::new(collection));
        }
        Ok(Schema::ordered(schema.order, schema.dialect, version))
    }
}

fn options(row: &Row) -> Result<Record, StoreError> {
    match row.json("options")? {
        Value::Object(options) => Ok(options),
        _ => Err(StoreError::Corrupt { what: "options that are no object".to_owned() }),
    }
}

fn corrupt(collection: &str, error: &StoreError) -> StoreError {
    StoreError::Corrupt { what: format!("a definition of {collection} ({error})") }
}
