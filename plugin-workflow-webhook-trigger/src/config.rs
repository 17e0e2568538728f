//! What people configure: how a request has to be made, and how it proves that it may start the workflow.
//!
//! The type's JSON Schema drives the console's form (see [`fields`]). `writeOnly` fields are secrets: the host keeps them apart and shows
//! nobody what they are. Unknown fields are refused: a misspelt secret would leave the address open.

use plugin_api::{PluginError, Translations, watch::fields};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::locales;

/// The configuration of a workflow of type `webhook`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Webhook")]
pub struct Config {
    /// The method of the request.
    #[serde(default)]
    #[schemars(schema_with = "method")]
    pub method: Method,

    /// How the body is read.
    #[serde(default)]
    #[schemars(schema_with = "body")]
    pub body: BodyKind,

    /// The key of the signature: HMAC-SHA256 over the body as sent. Without one, signatures are not asked for.
    #[serde(default)]
    #[schemars(schema_with = "secret")]
    pub secret: Option<String>,

    /// The header that holds the signature, in hexadecimal digits, perhaps behind `sha256=`.
    #[serde(default = "signature_header")]
    #[schemars(schema_with = "signature_header_field")]
    pub signature_header: String,

    /// The header that holds the time of the signature, in seconds since 1970. With one, what is signed is the time, a dot and the body, and
    /// an old request is refused.
    #[serde(default)]
    #[schemars(schema_with = "timestamp_header")]
    pub timestamp_header: Option<String>,

    /// How many seconds the time of the signature may be away from now.
    #[serde(default = "tolerance_seconds")]
    #[schemars(schema_with = "tolerance")]
    pub tolerance_seconds: u32,

    /// A text that the request has to send as `Authorization: Bearer …` or `X-Webhook-Token: …`. Without one, it is not asked for.
    #[serde(default)]
    #[schemars(schema_with = "token")]
    pub token: Option<String>,
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    #[default]
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl Method {
    /// As in a request.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// How a body is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BodyKind {
    /// Any JSON value; `null` without a body.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`: an object of texts, and of arrays for names that come several times.
    Form,
    /// A text in UTF-8.
    Text,
}

impl Config {
    /// Checks what the JSON Schema does not say.
    ///
    /// # Errors
    ///
    /// [`plugin_api::ErrorKind::Invalid`] with a sentence for the person who configures.
    pub(crate) fn check(&self) -> Result<(), PluginError> {
        let headers =
            [("signatureHeader", Some(&self.signature_header)), ("timestampHeader", self.timestamp_header.as_ref())];
        for (field, header) in headers {
            let fits =
                |name: &String| !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
            if header.is_some_and(|name| !fits(name)) {
                return Err(PluginError::invalid(format!("\"{field}\" must be the name of a header")));
            }
        }
        for (field, secret) in [("secret", &self.secret), ("token", &self.token)] {
            if secret.as_ref().is_some_and(|secret| secret.len() < SHORTEST_SECRET) {
                return Err(PluginError::invalid(format!(
                    "\"{field}\" must have at least {SHORTEST_SECRET} characters"
                )));
            }
        }
        if self.timestamp_header.is_some() && self.secret.is_none() {
            return Err(PluginError::invalid("\"timestampHeader\" needs a \"secret\": nothing else is signed"));
        }
        Ok(())
    }
}

/// Shorter ones can be guessed.
const SHORTEST_SECRET: usize = 8;

fn signature_header() -> String {
    "X-Signature".to_owned()
}

fn tolerance_seconds() -> u32 {
    300
}

fn method(_: &mut SchemaGenerator) -> Schema {
    let schema = json_schema!({"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"], "default": "POST"});
    fields::titled(&locales::METHOD, schema)
}

fn body(_: &mut SchemaGenerator) -> Schema {
    fields::titled(&locales::BODY_KIND, json_schema!({"enum": ["json", "form", "text"], "default": "json"}))
}

fn secret_field(title: &Translations) -> Schema {
    fields::titled(title, json_schema!({"type": ["string", "null"], "default": null, "writeOnly": true}))
}

fn secret(_: &mut SchemaGenerator) -> Schema {
    secret_field(&locales::SECRET)
}

fn token(_: &mut SchemaGenerator) -> Schema {
    secret_field(&locales::TOKEN)
}

fn signature_header_field(_: &mut SchemaGenerator) -> Schema {
    let schema = json_schema!({"type": "string", "default": signature_header()});
    fields::titled(&locales::SIGNATURE_HEADER, schema)
}

fn timestamp_header(_: &mut SchemaGenerator) -> Schema {
    fields::titled(&locales::TIMESTAMP_HEADER, json_schema!({"type": ["string", "null"], "default": null}))
}

fn tolerance(_: &mut SchemaGenerator) -> Schema {
    let schema = json_schema!({"type": "integer", "minimum": 1, "maximum": 86_400, "default": tolerance_seconds()});
    fields::titled(&locales::TOLERANCE, schema)
}
