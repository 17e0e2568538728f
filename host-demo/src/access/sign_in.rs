//! Signing in with a password.

use serde_json::{Value, json};
use store::{Conn, Filter, Find, Record, Store, UserId};

use super::token::Tokens;
use crate::http::{answer::Answer, error::ApiError};

/// Checks account (username or e-mail) and password; answers a token and the user. An unknown account takes as long as a
/// wrong password.
///
/// # Errors
///
/// [`ApiError::WrongCredentials`], whichever of the two is wrong.
pub(crate) async fn sign_in(store: &Store, tokens: &Tokens, values: &Record) -> Result<Answer, ApiError> {
    let text = |name: &str| values.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (Some(password), Some(filter)) = (text("password"), account(text("account"), text("email"))) else {
        return Err(ApiError::WrongCredentials);
    };
    let (user, hash) = {
        let mut conn = store.read().await?;
        let user = find(&mut conn, &filter).await?;
        let hash = match &user {
            Some((id, _)) => {
                let users = conn.schema().collection("users")?.clone();
                conn.password_hash(&users, &Filter::by_key(&users, &json!(id.0))?, "password").await?
            }
            None => None,
        };
        (user, hash)
    };
    let matches = store::secret::verify(password.to_owned(), hash).await;
    match user {
        Some((id, record)) if matches => {
            let token = tokens.issue(id, store.clock().now_ms() / 1_000)?;
            Ok(Answer::Data(json!({"token": token, "user": record})))
        }
        Some(_) | None => Err(ApiError::WrongCredentials),
    }
}

fn account(account: Option<&str>, email: Option<&str>) -> Option<Value> {
    match (account, email) {
        (Some(account), _) => Some(json!({"$or": [{"email": account}, {"username": account}]})),
        (None, Some(email)) => Some(json!({ "email": email })),
        (None, None) => None,
    }
}

/// Reads the one user that matches; if an account is one user's name and another's address, nobody.
async fn find(conn: &mut Conn, filter: &Value) -> Result<Option<(UserId, Record)>, ApiError> {
    let users = conn.schema().collection("users")?.clone();
    let mut find = Find::all(users.clone());
    // A text that no account can be, such as one with a NUL, is a wrong account.
    let Ok(filter) = Filter::parse(conn.schema(), &users, filter) else { return Ok(None) };
    find.filter = filter;
    let mut matches = conn.find(&find).await?;
    let user = if matches.len() == 1 { matches.pop() } else { None };
    Ok(user.and_then(|record| Some((UserId(record.get("id")?.as_i64()?), record))))
}
