//! Buttons of a client's pages, and the workflows that are bound to them.
//!
//! The bindings of a button are one list. Whoever changes it hands over the whole list, which is stored in order and in one
//! transaction. A binding names its workflow by key and outlives it. Which types of buttons there are, and whether a binding
//! makes sense, is not known here.

use std::collections::HashMap;

use serde_json::Value;

use crate::{
    db::{Conn, Row, Tx, each, listed, listed_texts},
    error::StoreError,
    id::BindingId,
    workflows::new_key,
};

/// A button with what is bound to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// Chosen by the client, or made.
    pub key: String,
    /// What it does, and where it is.
    pub facts: ButtonFacts,
    /// In the order to run them.
    pub bindings: Vec<Binding>,
    /// When it was made, as RFC 3339 text.
    pub created_at: String,
    /// When it, or its bindings, were last changed.
    pub updated_at: String,
}

/// What a button does, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ButtonFacts {
    /// What people see.
    pub title: Option<String>,
    /// The type of button.
    pub button_type: String,
    /// The collection of the records that it acts on.
    pub collection: String,
    /// The block of the page that it is in.
    pub block_id: Option<String>,
    /// What people see of the block.
    pub block_title: Option<String>,
}

/// One workflow that is bound to a button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Stays while the binding is changed or moved.
    pub id: BindingId,
    /// The workflow, whichever of its versions is enabled.
    pub workflow_key: String,
    /// The associations from the button's record to the one handed over, as `post.category`; empty for the record itself.
    pub path: String,
}

/// A binding as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingDraft {
    /// The binding that it changes; `None` makes one.
    pub id: Option<BindingId>,
    /// The workflow.
    pub workflow_key: String,
    /// The path.
    pub path: String,
}

impl From<Binding> for BindingDraft {
    fn from(binding: Binding) -> Self {
        Self { id: Some(binding.id), workflow_key: binding.workflow_key, path: binding.path }
    }
}

impl Button {
    fn read(row: &Row, bindings: Vec<Binding>) -> Result<Self, StoreError> {
        Ok(Self {
            key: row.get("key")?,
            facts: ButtonFacts {
                title: row.get("title")?,
                button_type: row.get("type")?,
                collection: row.get("collection")?,
                block_id: row.get("blockId")?,
                block_title: row.get("blockTitle")?,
            },
            bindings,
            created_at: row.get("createdAt")?,
            updated_at: row.get("updatedAt")?,
        })
    }
}

macro_rules! bindings_of {
    ($database:ident) => {
        concat!(
            r#"SELECT "id", "buttonKey", "workflowKey", "path" FROM "buttonBindings" WHERE "buttonKey" IN "#,
            listed_texts!($database),
            r#" ORDER BY "position", "id""#
        )
    };
}

macro_rules! buttons {
    ($database:ident) => {
        concat!(
            r#"SELECT "key", "title", "type", "collection", "blockId", "blockTitle", "createdAt", "updatedAt"
               FROM "buttons" WHERE "key" IN "#,
            listed_texts!($database)
        )
    };
}

macro_rules! delete_buttons {
    ($database:ident) => {
        concat!(r#"DELETE FROM "buttons" WHERE "key" IN "#, listed_texts!($database))
    };
}

macro_rules! delete_others {
    ($database:ident) => {
        concat!(r#"DELETE FROM "buttonBindings" WHERE "buttonKey" = ? AND "id" NOT IN "#, listed!($database))
    };
}

impl Conn {
    /// Reads buttons, in the order of the keys; keys that no button has are passed over.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn buttons(&mut self, keys: &[&str]) -> Result<Vec<Button>, StoreError> {
        let list = Value::from(keys).to_string();
        let rows = self.query(each!(bindings_of), [list.as_str().into()]).await?;
        let mut bindings: HashMap<String, Vec<Binding>> = HashMap::new();
        for row in &rows {
            let binding = Binding {
                id: BindingId(row.get("id")?),
                workflow_key: row.get("workflowKey")?,
                path: row.get("path")?,
            };
            bindings.entry(row.get("buttonKey")?).or_default().push(binding);
        }
        let rows = self.query(each!(buttons), [list.into()]).await?;
        let mut found = HashMap::new();
        for row in &rows {
            let key: String = row.get("key")?;
            let button = Button::read(row, bindings.remove(&key).unwrap_or_default())?;
            found.insert(key, button);
        }
        Ok(keys.iter().filter_map(|key| found.remove(*key)).collect())
    }

    /// Reads one button.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn button(&mut self, key: &str) -> Result<Option<Button>, StoreError> {
        Ok(self.buttons(&[key]).await?.pop())
    }

    async fn present_button(&mut self, key: &str) -> Result<Button, StoreError> {
        self.button(key).await?.ok_or_else(|| StoreError::NotFound { what: "button".into() })
    }
}

impl Tx {
    /// Stores a new button without bindings; without a key it gets one of 11 characters.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotUnique`] if another button has the key.
    pub async fn create_button(&mut self, key: Option<String>, facts: &ButtonFacts) -> Result<Button, StoreError> {
        let (key, now) = (key.unwrap_or_else(new_key), self.moment());
        self.run(
            r#"INSERT INTO "buttons" ("key", "title", "type", "collection", "blockId", "blockTitle", "createdAt", "updatedAt")
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)"#,
            [
                key.as_str().into(),
                facts.title.clone().into(),
                facts.button_type.as_str().into(),
                facts.collection.as_str().into(),
                facts.block_id.clone().into(),
                facts.block_title.clone().into(),
                now.as_str().into(),
                now.as_str().into(),
            ],
        )
        .await?;
        self.present_button(&key).await
    }

    /// Changes a button; its bindings stay as they are.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`].
    pub async fn update_button(&mut self, key: &str, facts: &ButtonFacts) -> Result<Button, StoreError> {
        self.run(
            r#"UPDATE "buttons" SET "title" = ?, "type" = ?, "collection" = ?, "blockId" = ?, "blockTitle" = ?, "updatedAt" = ?
               WHERE "key" = ?"#,
            [
                facts.title.clone().into(),
                facts.button_type.as_str().into(),
                facts.collection.as_str().into(),
                facts.block_id.clone().into(),
                facts.block_title.clone().into(),
                self.moment().into(),
                key.into(),
            ],
        )
        .await?;
        self.present_button(key).await
    }

    /// Deletes buttons with their bindings; answers how many there were.
    ///
    /// # Errors
    ///
    /// Database errors.
    pub async fn destroy_buttons(&mut self, keys: &[&str]) -> Result<u64, StoreError> {
        let list = Value::from(keys).to_string();
        self.run(each!(delete_buttons), [list.into()]).await
    }

    /// Replaces what is bound to a button: drafts with the id of a binding change it, others make one, and bindings that
    /// no draft names are deleted. The order is that of the drafts.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] without such a button or binding, [`StoreError::NotUnique`] if two drafts have the same workflow
    /// and path.
    pub async fn set_bindings(&mut self, button: &str, drafts: Vec<BindingDraft>) -> Result<Button, StoreError> {
        self.query_held(r#"SELECT "key" FROM "buttons" WHERE "key" = ?"#, [button.into()]).await?;
        let before = self.present_button(button).await?;
        let kept: Vec<i64> = drafts.iter().filter_map(|draft| Some(draft.id?.0)).collect();
        if let Some(stranger) = kept.iter().find(|id| !before.bindings.iter().any(|binding| binding.id.0 == **id)) {
            return Err(StoreError::NotFound { what: format!("binding {stranger}") });
        }
        self.run(each!(delete_others), [button.into(), Value::from(kept).to_string().into()]).await?;
        for (position, draft) in (1_i64..).zip(drafts) {
            let BindingDraft { id, workflow_key, path } = draft;
            match id {
                Some(id) => {
                    self.run(
                        r#"UPDATE "buttonBindings" SET "workflowKey" = ?, "path" = ?, "position" = ? WHERE "id" = ?"#,
                        [workflow_key.into(), path.into(), position.into(), id.0.into()],
                    )
                    .await?
                }
                None => {
                    self.run(
                        r#"INSERT INTO "buttonBindings" ("buttonKey", "workflowKey", "path", "position")
                           VALUES (?, ?, ?, ?)"#,
                        [button.into(), workflow_key.into(), path.into(), position.into()],
                    )
                    .await?
                }
            };
        }
        self.run(r#"UPDATE "buttons" SET "updatedAt" = ? WHERE "key" = ?"#, [self.moment().into(), button.into()])
            .await?;
        self.present_button(button).await
    }
}
