//! The further databases that administrators have added, as they are written down. Opening them is the host's business.

use serde_json::Value;

use crate::{
    Record,
    db::{Conn, Row, Tx},
    error::StoreError,
    hosts::HostChange,
    schema::identifier,
};

/// The key of the host's own database, which is not written down.
const MAIN: &str = "main";

/// One further database.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSource {
    /// Names it in requests and configurations; fixed when it is made.
    pub key: String,
    /// What is known of it.
    pub facts: DataSourceFacts,
    /// When it was made, as RFC 3339 text.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
}

/// What is known of a further database.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSourceFacts {
    /// What people see.
    pub display_name: Option<String>,
    /// The kind of database.
    pub kind: String,
    /// How it is reached and what is taken of it, without secrets.
    pub options: Record,
    /// What nobody reads but the host, by name.
    pub secrets: Record,
    /// Whether it is to be used.
    pub enabled: bool,
}

macro_rules! select_data_sources {
    ($rest:literal) => {
        concat!(
            r#"SELECT "key", "displayName", "type", "options", "secrets", "enabled", "createdAt", "updatedAt" FROM "dataSources" "#,
            $rest
        )
    };
}

impl DataSource {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let key: String = row.get("key")?;
        let record = |name: &str| match row.json(name)? {
            Value::Object(record) => Ok(record),
            _ => Err(StoreError::Corrupt { what: format!("{name} of data source {key} that are no object") }),
        };
        Ok(Self {
            facts: DataSourceFacts {
                display_name: row.get("displayName")?,
                kind: row.get("type")?,
                options: record("options")?,
                secrets: record("secrets")?,
                enabled: row.get("enabled")?,
            },
            created_at: row.get("createdAt")?,
            updated_at: row.get("updatedAt")?,
            key,
        })
    }
}

impl Conn {
    /// Reads all further databases, by their keys.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn data_sources(&mut self) -> Result<Vec<DataSource>, StoreError> {
        let rows = self.query(select_data_sources!(r#"ORDER BY "key""#), []).await?;
        rows.iter().map(DataSource::read).collect()
    }

    /// Reads one further database.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn data_source(&mut self, key: &str) -> Result<Option<DataSource>, StoreError> {
        let rows = self.query(select_data_sources!(r#"WHERE "key" = ?"#), [key.into()]).await?;
        rows.first().map(DataSource::read).transpose()
    }

    async fn present_data_source(&mut self, key: &str) -> Result<DataSource, StoreError> {
        self.data_source(key).await?.ok_or_else(|| StoreError::NotFound { what: format!("data source {key}") })
    }
}

impl Tx {
    /// Writes down a new one. Other hosts are told.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for a key that is no name, [`StoreError::NotUnique`] if another one has it.
    pub async fn create_data_source(&mut self, key: &str, facts: &DataSourceFacts) -> Result<DataSource, StoreError> {
        identifier::check("data source", key)?;
        if identifier::clash(key, MAIN) {
            return Err(StoreError::NotUnique { field: "key".to_owned() });
        }
        let now = self.moment();
        self.run(
            r#"INSERT INTO "dataSources" ("key", "displayName", "type", "options", "secrets", "enabled", "createdAt", "updatedAt")
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)"#,
            [
                key.into(),
                facts.display_name.clone().into(),
                facts.kind.as_str().into(),
                text(&facts.options).into(),
                text(&facts.secrets).into(),
                facts.enabled.into(),
                now.as_str().into(),
                now.as_str().into(),
            ],
        )
        .await?;
        self.tell_of_data_source(key);
        self.present_data_source(key).await
    }

    /// Changes one. Other hosts are told.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`].
    pub async fn update_data_source(&mut self, key: &str, facts: &DataSourceFacts) -> Result<DataSource, StoreError> {
        self.run(
            r#"UPDATE "dataSources" SET "displayName" = ?, "type" = ?, "options" = ?, "secrets" = ?, "enabled" = ?, "updatedAt" = ?
               WHERE "key" = ?"#,
            [
                facts.display_name.clone().into(),
                facts.kind.as_str().into(),
                text(&facts.options).into(),
                text(&facts.secrets).into(),
                facts.enabled.into(),
                self.moment().into(),
                key.into(),
            ],
        )
        .await?;
        self.tell_of_data_source(key);
        self.present_data_source(key).await
    }

    /// Forgets one, with the rights to its collections: they would come back with the next one of this key. Answers whether it was
    /// there. Other hosts are told.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn destroy_data_source(&mut self, key: &str) -> Result<bool, StoreError> {
        self.run(r#"DELETE FROM "dataSourceResources" WHERE "dataSourceKey" = ?"#, [key.into()]).await?;
        let gone = self.run(r#"DELETE FROM "dataSources" WHERE "key" = ?"#, [key.into()]).await?;
        self.tell_of_data_source(key);
        Ok(gone > 0)
    }

    fn tell_of_data_source(&mut self, key: &str) {
        self.tell_hosts(HostChange::DataSource { key: key.to_owned() });
    }
}

fn text(record: &Record) -> String {
    Value::Object(record.clone()).to_string()
}
