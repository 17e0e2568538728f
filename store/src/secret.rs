//! Password hashing (Argon2id). It takes tens of milliseconds, so it happens before a transaction, never in one.

use crate::{Record, error::StoreError, schema::Collection, schema::Schema};

/// Replaces the values of password fields, nested ones too, by their hashes. Call it before [`crate::Tx::create`] and
/// [`crate::Tx::update`], which refuse a password that is not hashed.
///
/// # Errors
///
/// [`StoreError::Invalid`] for a password that is no text, is empty, or is longer than 1,024 bytes.
pub async fn hash_secrets(schema: &Schema, collection: &Collection, values: Record) -> Result<Record, StoreError> {
    let _ = (schema, collection, values);
    todo!()
}

/// Checks a password against a stored hash, in the same time whether or not there is a hash.
pub async fn verify(password: String, hash: Option<String>) -> bool {
    let _ = (password, hash);
    todo!()
}
