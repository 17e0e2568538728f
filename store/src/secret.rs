//! Password hashing (Argon2id). It takes tens of milliseconds, so it happens before a transaction, never in one.

use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use futures::{FutureExt as _, future::BoxFuture};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::{
    Record,
    db::Conn,
    error::StoreError,
    query::{Filter, MAX_DEPTH},
    schema::{Collection, Field, FieldType, Schema},
};

/// Longer passwords are refused: hashing them costs time and adds nothing.
const MAX_BYTES: usize = 1_024;
/// Hashes computed at a time: each takes a processor and 19 MiB, and signing in must not starve the rest.
static HASHERS: Semaphore = Semaphore::const_new(4);
/// The hash of a password nobody has, with the parameters of the others. Checked when there is no hash, so that the time
/// does not tell whether an account exists.
const NOBODYS_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$tHyklPbyzpWQOMFctcWz5w$rNqSkbZEz6lkZgJnTgZd2yml6kL6L7bpUv6gJ4EIiGk";

/// Replaces the values of password fields, nested ones too, by their hashes. Call it before [`crate::Tx::create`] and
/// [`crate::Tx::update`], which refuse a password that is not hashed. `null` stays.
///
/// # Errors
///
/// [`StoreError::Invalid`] for a password that is no text, is empty, or is longer than 1,024 bytes.
pub async fn hash_secrets(schema: &Schema, collection: &Collection, values: Record) -> Result<Record, StoreError> {
    hash_members(schema, collection, values, 0).await
}

/// Leaves out the values of hidden fields, passwords among them, nested ones too: what is told about a request is kept, and
/// read by others.
pub fn without_secrets(schema: &Schema, collection: &Collection, values: &Record) -> Record {
    shown(schema, collection, values, 0)
}

/// Checks a password against a stored hash, in the same time whether or not there is a hash.
pub async fn verify(password: String, hash: Option<String>) -> bool {
    if password.len() > MAX_BYTES {
        return false;
    }
    let checked = compute(move || {
        let matches = |hash: &str| Argon2::default().verify_password(password.as_bytes(), hash).is_ok();
        match hash {
            Some(hash) => matches(&hash),
            None => {
                // Only for the time it takes.
                std::hint::black_box(matches(NOBODYS_HASH));
                false
            }
        }
    });
    checked.await.unwrap_or(false)
}

/// Does expensive work away from the tasks that serve requests; `None` if it panics.
async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    // The semaphore is never closed.
    let _permit = HASHERS.acquire().await.ok()?;
    tokio::task::spawn_blocking(work).await.ok()
}

impl Conn {
    /// Reads the hash in a password field of the first matching record, for [`verify`]. `None` without record or hash.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] if the field is no password; database errors.
    pub async fn password_hash(
        &mut self,
        collection: &Collection,
        filter: &Filter,
        field: &str,
    ) -> Result<Option<String>, StoreError> {
        let field = collection.field(field)?;
        if field.field_type != FieldType::Password {
            return Err(StoreError::invalid("UNKNOWN_FIELD", format!("{} is no password", field.name)));
        }
        let statement = sea_query::Query::select()
            .column(field.name.clone())
            .from(collection.name.clone())
            .cond_where(filter.compile(self.dialect(), &collection.name))
            .limit(1)
            .take();
        self.fetch_optional(&statement).await?.map_or(Ok(None), |row| row.get(&field.name))
    }
}

fn shown(schema: &Schema, collection: &Collection, values: &Record, depth: usize) -> Record {
    let mut kept = Record::with_capacity(values.len());
    for (name, value) in values {
        let value = match collection.find_field(name) {
            Some(field) if field.hidden || field.field_type == FieldType::Password => continue,
            Some(Field { field_type: FieldType::Association(association), .. }) => {
                match schema.collection(&association.target) {
                    // What nests deeper is refused when it is written.
                    Ok(target) if depth < MAX_DEPTH => shown_below(schema, target, value, depth + 1),
                    Ok(_) | Err(_) => Value::Null,
                }
            }
            Some(_) | None => value.clone(),
        };
        kept.insert(name.clone(), value);
    }
    kept
}

fn shown_below(schema: &Schema, target: &Collection, value: &Value, depth: usize) -> Value {
    match value {
        Value::Object(values) => Value::Object(shown(schema, target, values, depth)),
        Value::Array(items) => items.iter().map(|item| shown_below(schema, target, item, depth)).collect(),
        link => link.clone(),
    }
}

fn hash_members<'v>(
    schema: &'v Schema,
    collection: &'v Collection,
    values: Record,
    depth: usize,
) -> BoxFuture<'v, Result<Record, StoreError>> {
    async move {
        let mut hashed = Record::with_capacity(values.len());
        for (name, value) in values {
            let value = match collection.find_field(&name).map(|field| &field.field_type) {
                Some(FieldType::Password) => hash(&name, value).await?,
                // What nests deeper is refused when it is written.
                Some(FieldType::Association(association)) if depth < MAX_DEPTH => {
                    let target = schema.collection(&association.target)?;
                    hash_nested(schema, target, value, depth + 1).await?
                }
                Some(_) | None => value,
            };
            hashed.insert(name, value);
        }
        Ok(hashed)
    }
    .boxed()
}

async fn hash_nested(schema: &Schema, target: &Collection, value: Value, depth: usize) -> Result<Value, StoreError> {
    match value {
        Value::Object(members) => Ok(Value::Object(hash_members(schema, target, members, depth).await?)),
        Value::Array(items) => {
            let mut hashed = Vec::with_capacity(items.len());
            for item in items {
                hashed.push(match item {
                    Value::Object(members) => Value::Object(hash_members(schema, target, members, depth).await?),
                    other => other,
                });
            }
            Ok(Value::Array(hashed))
        }
        other => Ok(other),
    }
}

async fn hash(field: &str, value: Value) -> Result<Value, StoreError> {
    let password = match value {
        Value::Null => return Ok(Value::Null),
        Value::String(password) if !password.is_empty() && password.len() <= MAX_BYTES => password,
        _ => {
            return Err(StoreError::invalid_value(field, format_args!("a text of 1 to {MAX_BYTES} bytes is expected")));
        }
    };
    let hashed =
        compute(move || Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string())).await;
    match hashed {
        Some(Ok(hash)) => Ok(Value::String(hash)),
        Some(Err(_)) | None => Err(StoreError::invalid_value(field, "the password could not be hashed")),
    }
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::phc::PasswordHash;

    use super::{NOBODYS_HASH, hash, verify};

    #[test]
    fn nobodys_hash_costs_what_others_cost() {
        let nobody = PasswordHash::new(NOBODYS_HASH).expect("a hash");
        assert_eq!(nobody.hash.map(|hash| hash.len()), Some(32));
        assert_eq!(nobody.params.to_string(), "m=19456,t=2,p=1");
    }

    #[tokio::test]
    async fn a_password_is_verified_against_its_hash() {
        let hashed = hash("password", "secret".into()).await.expect("a hash");
        let hashed = hashed.as_str().map(str::to_owned);
        assert!(hashed.as_deref().is_some_and(|hash| hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")));
        assert!(verify("secret".to_owned(), hashed.clone()).await);
        assert!(!verify("Secret".to_owned(), hashed).await);
        assert!(!verify("secret".to_owned(), None).await);
        assert!(!verify("secret".to_owned(), Some("no hash".to_owned())).await);
        assert!(hash("password", "".into()).await.is_err());
        assert!(hash("password", 1.into()).await.is_err());
        assert!(hash("password", "x".repeat(1_025).into()).await.is_err());
    }
}
