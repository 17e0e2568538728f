//! Who asks, in which role: made once at the door, and the only way to the data.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use serde_json::{Value, json};
use store::{Conn, Filter, Find, Record, StoreError, UserId};

use super::permissions::{ROOT_ROLE, Role};
use crate::{
    data_sources::DataSource,
    host::Host,
    http::{error::ApiError, params::Params},
};

/// The user who acts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Actor {
    /// Who.
    pub(crate) id: UserId,
    /// Their record without secrets and associations, as in the trigger context.
    pub(crate) record: Record,
}

/// Everything about the asker that a request carries along.
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    actor: Actor,
    role: Role,
    /// Names of all roles the actor has, in the order given to them.
    role_names: Vec<String>,
    /// Where the records of the request are; the rights of the role are those there.
    source: DataSource,
}

impl RequestContext {
    /// Authenticates a request, takes up the role it asks for, or else the actor's first, and finds the data source.
    ///
    /// # Errors
    ///
    /// The 401 errors; store errors; for another data source than main, that it is not there or cannot be used.
    pub(crate) async fn open(
        host: &Host,
        headers: &HeaderMap,
        params: &Params,
        source: &str,
    ) -> Result<Self, ApiError> {
        let token = bearer(headers).or(params.token.as_deref()).ok_or(ApiError::EmptyToken)?;
        let claims = host.tokens.read(token, host.store.clock().now_ms() / 1_000)?;
        let mut conn = host.store.read().await?;
        let users = conn.schema().collection("users")?.clone();
        let mut find = Find::all(users.clone());
        find.filter = Filter::by_key(&users, &Value::from(claims.user_id.0))?;
        find.select.appends = vec!["roles".to_owned()];
        let mut record = conn.find(&find).await?.into_iter().next().ok_or(ApiError::InvalidToken)?;
        // A token from before the last change of the password is no longer good.
        if record
            .get("passwordChangeTz")
            .and_then(Value::as_i64)
            .is_some_and(|changed_ms| claims.iat < changed_ms / 1_000)
        {
            return Err(ApiError::InvalidToken);
        }
        let roles = match record.remove("roles") {
            Some(Value::Array(roles)) => roles
                .into_iter()
                .filter_map(|role| if let Value::Object(role) = role { Some(role) } else { None })
                .collect(),
            _ => Vec::new(),
        };
        let role_names: Vec<String> = roles.iter().map(role_name).map(str::to_owned).collect();
        let wanted = match headers.get("x-role") {
            Some(wanted) => Some(String::from_utf8_lossy(wanted.as_bytes()).into_owned()),
            None if roles.len() > 1 => default_role(&mut conn, claims.user_id).await?,
            None => None,
        };
        let role = choose(roles, wanted.as_deref())?;
        let role = rights_at(&mut conn, &role, source).await?;
        drop(conn);
        let source = host.data_sources.find(source).await?;
        Ok(Self { actor: Actor { id: claims.user_id, record }, role, role_names, source })
    }

    /// The same request about another data source, with the rights that the role has there.
    ///
    /// # Errors
    ///
    /// Store errors; that it is not there or cannot be used.
    pub(crate) async fn at(&self, host: &Host, source: &str) -> Result<Self, ApiError> {
        if source == self.source.key() {
            return Ok(self.clone());
        }
        let mut conn = host.store.read().await?;
        let roles = conn.schema().collection("roles")?.clone();
        let filter = Filter::by_key(&roles, &self.role.name().into())?;
        let role = conn.find(&Find { filter, ..Find::all(roles) }).await?.into_iter().next();
        let role = rights_at(&mut conn, &role.ok_or(ApiError::RoleNotFound)?, source).await?;
        drop(conn);
        let source = host.data_sources.find(source).await?;
        Ok(Self { role, source, ..self.clone() })
    }

    /// Where the records of the request are.
    pub(crate) fn source(&self) -> &DataSource {
        &self.source
    }

    /// Who acts.
    pub(crate) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The role the actor acts in.
    pub(crate) fn role(&self) -> &Role {
        &self.role
    }

    /// The same request with the rights of another role: for what does not depend on the actor's.
    pub(crate) fn in_role(&self, role: Role) -> Self {
        Self { role, ..self.clone() }
    }

    /// All roles of the actor.
    pub(crate) fn role_names(&self) -> &[String] {
        &self.role_names
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}

/// What a role may do in a data source.
async fn rights_at(conn: &mut Conn, role: &Record, source: &str) -> Result<Role, StoreError> {
    if role_name(role) == ROOT_ROLE {
        return Ok(Role::read(role, &[]));
    }
    let collection = conn.schema().collection("dataSourceResources")?.clone();
    let mut find = Find::all(collection.clone());
    let filter = json!({"roleName": role_name(role), "dataSourceKey": source});
    find.filter = Filter::parse(conn.schema(), &collection, &filter)?;
    let resources = conn.find(&find).await?;
    Ok(Role::read(role, &resources))
}

fn role_name(role: &Record) -> &str {
    role.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// The role that the user acts in without saying so.
async fn default_role(conn: &mut Conn, user: UserId) -> Result<Option<String>, ApiError> {
    let links = conn.schema().collection("rolesUsers")?.clone();
    let filter = Filter::parse(conn.schema(), &links, &json!({"userId": user.0, "default": true}))?;
    let link = conn.find(&Find { filter, ..Find::all(links) }).await?.into_iter().next();
    Ok(link.and_then(|link| Some(link.get("roleName")?.as_str()?.to_owned())))
}

fn choose(mut roles: Vec<Record>, wanted: Option<&str>) -> Result<Record, ApiError> {
    let position = match wanted {
        Some(wanted) => roles.iter().position(|role| role_name(role) == wanted),
        None => (!roles.is_empty()).then_some(0),
    };
    position.map(|position| roles.swap_remove(position)).ok_or(ApiError::RoleNotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_tokens() {
        let check = |value: &str, want: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().expect("a header"));
            assert_eq!(bearer(&headers), want, "{value}");
        };
        check("Bearer abc", Some("abc"));
        check("bearer  abc ", Some("abc"));
        check("Bearer ", None);
        check("Basic abc", None);
        check("abc", None);
    }
}
