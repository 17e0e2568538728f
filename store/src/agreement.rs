//! What the hosts that work on one database have in common, and each has only its own word for: the secret that they sign tokens with,
//! and which plugins are switched on.
//!
//! On SQLite there is one host: nothing is written down.

use crate::{
    db::{Conn, Dialect, Tx},
    error::StoreError,
};

impl Conn {
    /// The plugins that a running host was told to switch, and whether on, by their ids.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn plugin_switches(&mut self) -> Result<Vec<(String, bool)>, StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(Vec::new());
        }
        let rows = self.query(r#"SELECT "plugin", "enabled" FROM "_pluginSwitches" ORDER BY "plugin""#, []).await?;
        rows.iter().map(|row| Ok((row.get("plugin")?, row.get("enabled")?))).collect()
    }
}

impl Tx {
    /// The fingerprint of the secret that the hosts of this database share: this one, if there was none.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn shared_secret(&mut self, fingerprint: &str) -> Result<String, StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(fingerprint.to_owned());
        }
        self.run(
            r#"INSERT INTO "_tokenSecret" ("one", "fingerprint") VALUES (1, ?) ON CONFLICT ("one") DO NOTHING"#,
            [fingerprint.into()],
        )
        .await?;
        let rows = self.query(r#"SELECT "fingerprint" FROM "_tokenSecret""#, []).await?;
        rows.first().map_or_else(|| Ok(fingerprint.to_owned()), |row| row.get("fingerprint"))
    }

    /// Lets the hosts of this database share another secret from now on. Those that run keep theirs until they are started again.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn replace_shared_secret(&mut self, fingerprint: &str) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        self.run(
            r#"INSERT INTO "_tokenSecret" ("one", "fingerprint") VALUES (1, ?)
               ON CONFLICT ("one") DO UPDATE SET "fingerprint" = "excluded"."fingerprint""#,
            [fingerprint.into()],
        )
        .await
        .map(drop)
    }

    /// Notes that a plugin was switched, for hosts that start later.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn set_plugin_switch(&mut self, plugin: &str, enabled: bool) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        self.run(
            r#"INSERT INTO "_pluginSwitches" ("plugin", "enabled") VALUES (?, ?)
               ON CONFLICT ("plugin") DO UPDATE SET "enabled" = "excluded"."enabled""#,
            [plugin.into(), enabled.into()],
        )
        .await
        .map(drop)
    }
}
