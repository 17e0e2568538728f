//! What an administrator says of a further database: read, checked, and shown again without its password.
//!
//! The URL is kept twice: as a secret, and with three stars in place of its password for those who look. Whoever sends the
//! stars back keeps the password, as long as it goes to the same server for the same user.

use std::path::{Path, PathBuf};

use reqwest::Url;
use serde_json::Value;
use store::{ConnectOptions, DataSourceFacts, Record};

use crate::http::error::ApiError;

/// What stands for a password.
const STARS: &str = "***";
/// How many connections one host may have to a further database.
const CONNECTIONS: std::ops::RangeInclusive<u64> = 2..=64;
/// Longest text, in characters: as long as the store's texts.
const TEXT_CHARS_MAX: usize = 255;

/// The names that a body may have; what else is in it was probably meant to do something.
const NAMES: [&str; 11] = [
    "key",
    "displayName",
    "type",
    "url",
    "options",
    "enabled",
    "tables",
    "schema",
    "outbox",
    "readOnly",
    "maxConnections",
];
/// The parts that an address may be given in.
const PARTS: [&str; 6] = ["host", "port", "username", "password", "database", "storage"];

/// A further database, as it is written down.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings(DataSourceFacts);

/// The folder whose files may be opened as SQLite databases, if there is one. Files have no password: without this fence an
/// administrator could read and write whatever the server can.
#[derive(Debug, Clone, Default)]
pub(crate) struct Folder(pub(crate) Option<PathBuf>);

impl Settings {
    /// What is written down.
    pub(crate) fn of(facts: DataSourceFacts) -> Self {
        Self(facts)
    }

    /// Reads a body, for a new data source or as a change of what is known.
    ///
    /// # Errors
    ///
    /// 400 with one sentence.
    pub(crate) fn read(body: &Record, known: Option<&Self>) -> Result<Self, ApiError> {
        if let Some(name) = body.keys().find(|name| !NAMES.contains(&name.as_str())) {
            return Err(invalid(format!("\"{name}\" is nothing that a data source has")));
        }
        let mut facts = match known {
            Some(Self(facts)) => facts.clone(),
            None => DataSourceFacts {
                display_name: None,
                kind: String::new(),
                options: Record::new(),
                secrets: Record::new(),
                enabled: true,
            },
        };
        if body.contains_key("displayName") {
            facts.display_name = text(body, "displayName")?;
        }
        facts.enabled = truth(body, "enabled")?.unwrap_or(facts.enabled);
        if let Some(url) = given_url(body)? {
            let url = opened(url, facts.secrets.get("url").and_then(Value::as_str))?;
            facts.kind = kind_of(&url)?.to_owned();
            facts.options.insert("url".to_owned(), masked(&url).into());
            facts.secrets.insert("url".to_owned(), url.as_str().into());
        }
        if facts.kind.is_empty() {
            return Err(ApiError::invalid("REQUIRED", "\"url\" is required, or \"type\" and \"options\""));
        }
        if let Some(kind) = text(body, "type")?.filter(|kind| !is_same_kind(kind, &facts.kind)) {
            return Err(invalid(format!("\"type\" is {kind}, and the address is one of {}", facts.kind)));
        }
        for name in ["outbox", "readOnly"] {
            if let Some(truth) = truth(body, name)? {
                facts.options.insert(name.to_owned(), truth.into());
            }
        }
        if body.contains_key("schema") {
            facts.options.insert("schema".to_owned(), text(body, "schema")?.into());
        }
        match body.get("tables") {
            None => {}
            Some(Value::Null) => drop(facts.options.shift_remove("tables")),
            Some(Value::Array(tables)) if tables.iter().all(Value::is_string) => {
                facts.options.insert("tables".to_owned(), tables.clone().into());
            }
            Some(_) => return Err(invalid("\"tables\" must be an array of names")),
        }
        match body.get("maxConnections") {
            None => {}
            Some(Value::Null) => drop(facts.options.shift_remove("maxConnections")),
            Some(count) => match count.as_u64().filter(|count| CONNECTIONS.contains(count)) {
                Some(count) => drop(facts.options.insert("maxConnections".to_owned(), count.into())),
                None => {
                    let (least, most) = (CONNECTIONS.start(), CONNECTIONS.end());
                    return Err(invalid(format!("\"maxConnections\" must be {least} to {most}")));
                }
            },
        }
        Ok(Self(facts))
    }

    /// As it is written down.
    pub(crate) fn facts(&self) -> &DataSourceFacts {
        &self.0
    }

    /// Says whether it is to be used.
    pub(super) fn is_enabled(&self) -> bool {
        self.0.enabled
    }

    /// Says whether another one leads to the same database in the same way.
    pub(super) fn connects_like(&self, other: &Self) -> bool {
        let Self(DataSourceFacts { kind, options, secrets, enabled, display_name: _ }) = self;
        let Self(facts) = other;
        (kind, options, secrets, enabled) == (&facts.kind, &facts.options, &facts.secrets, &facts.enabled)
    }

    /// How it is opened.
    ///
    /// # Errors
    ///
    /// A sentence, if it is a file that may not be opened.
    pub(crate) fn connection(&self, folder: &Folder) -> Result<(String, ConnectOptions), String> {
        let DataSourceFacts { options, secrets, .. } = &self.0;
        let url = secrets.get("url").and_then(Value::as_str).unwrap_or_default();
        let url = match url.strip_prefix("sqlite:") {
            Some(path) => format!("sqlite:{}", folder.file(path)?.display()),
            None => url.to_owned(),
        };
        let texts = |value: &Value| value.as_array()?.iter().map(|name| Some(name.as_str()?.to_owned())).collect();
        let is_on = |name: &str| options.get(name).and_then(Value::as_bool);
        let read_only = is_on("readOnly").unwrap_or(false);
        let most = options.get("maxConnections").and_then(Value::as_u64);
        let connect = ConnectOptions {
            tables: options.get("tables").and_then(texts),
            schema: options.get("schema").and_then(Value::as_str).map(str::to_owned),
            max_connections: most
                .map_or(ConnectOptions::default().max_connections, |count| u32::try_from(count).unwrap_or(u32::MAX)),
            read_only,
            outbox: is_on("outbox").unwrap_or(true) && !read_only,
        };
        Ok((url, connect))
    }
}

impl Folder {
    /// The file of a path that may be opened.
    fn file(&self, path: &str) -> Result<PathBuf, String> {
        let Self(Some(folder)) = self else {
            return Err("SQLite files cannot be opened: the operator has named no folder for them".to_owned());
        };
        let file = folder.join(path);
        let found = |path: &Path| path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
        let (folder, file) = (found(folder)?, found(&file)?);
        if file.starts_with(&folder) && file.is_file() {
            Ok(file)
        } else {
            Err(format!("{} is not in the folder whose files may be opened", file.display()))
        }
    }
}

fn given_url(body: &Record) -> Result<Option<Url>, ApiError> {
    match (body.get("url"), body.get("options")) {
        (None | Some(Value::Null), None | Some(Value::Null)) => Ok(None),
        (Some(Value::String(url)), None | Some(Value::Null)) => {
            let url = Url::parse(url).map_err(|error| invalid(format!("\"url\": {error}")))?;
            check_query(&url)?;
            Ok(Some(url))
        }
        (None | Some(Value::Null), Some(Value::Object(parts))) => built(body, parts).map(Some),
        (Some(_), Some(_)) => Err(invalid("either \"url\" or \"options\" is given")),
        (Some(_), None) => Err(invalid("\"url\" must be a string")),
        (None, Some(_)) => Err(invalid("\"options\" must be an object")),
    }
}

/// Makes a URL of its parts.
fn built(body: &Record, parts: &Record) -> Result<Url, ApiError> {
    let kind = text(body, "type")?.ok_or_else(|| ApiError::invalid("REQUIRED", "\"type\" is required"))?;
    if let Some(name) = parts.keys().find(|name| !PARTS.contains(&name.as_str())) {
        return Err(invalid(format!("\"options.{name}\" is nothing that an address has; a \"url\" takes parameters")));
    }
    let part = |name: &str| text(parts, name);
    let required = |name: &str| {
        part(name)?.ok_or_else(|| ApiError::invalid("REQUIRED", format!("\"options.{name}\" is required")))
    };
    let broken = || invalid("\"options\" make no address");
    if kind == "sqlite" {
        return Url::parse(&format!("sqlite:{}", required("storage")?)).map_err(|_| broken());
    }
    let mut url = Url::parse(&format!("{kind}://host/")).map_err(|_| broken())?;
    kind_of(&url)?;
    url.set_host(Some(&required("host")?)).map_err(|_| broken())?;
    let port = match parts.get("port") {
        None | Some(Value::Null) => None,
        Some(port) => Some(port.as_u64().and_then(|port| u16::try_from(port).ok()).ok_or_else(broken)?),
    };
    url.set_port(port).map_err(|()| broken())?;
    url.set_username(&required("username")?).map_err(|()| broken())?;
    url.set_password(part("password")?.as_deref()).map_err(|()| broken())?;
    url.path_segments_mut().map_err(|()| broken())?.clear().push(&required("database")?);
    Ok(url)
}

/// Puts the known password in place of the stars.
fn opened(mut url: Url, known: Option<&str>) -> Result<Url, ApiError> {
    if url.password() != Some(STARS) {
        return Ok(url);
    }
    let known = known.and_then(|known| Url::parse(known).ok()).filter(|known| {
        let place = |url: &Url| {
            (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port(), url.username().to_owned())
        };
        // A parameter could lead elsewhere, too.
        place(known) == place(&url) && known.query() == url.query()
    });
    let Some(known) = known else {
        let message = format!(
            "the password has to be given: \"{STARS}\" stands for one of the same user at the same server only"
        );
        return Err(invalid(message));
    };
    url.set_password(known.password()).map_err(|()| invalid("\"url\" has no place for a password"))?;
    Ok(url)
}

fn masked(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() {
        // What has a password has a place for one.
        let _ = url.set_password(Some(STARS));
    }
    url.into()
}

/// Parameters are shown as they are.
fn check_query(url: &Url) -> Result<(), ApiError> {
    let is_secret = |name: &str| ["pass", "pwd", "secret"].iter().any(|part| name.to_ascii_lowercase().contains(part));
    match url.query_pairs().find(|(name, _)| is_secret(name)) {
        Some((name, _)) => Err(invalid(format!("\"url\": the password stands before the host, not in \"{name}\""))),
        None => Ok(()),
    }
}

fn kind_of(url: &Url) -> Result<&'static str, ApiError> {
    match url.scheme() {
        "sqlite" => Ok("sqlite"),
        "postgres" | "postgresql" => Ok("postgres"),
        "mysql" => Ok("mysql"),
        "mariadb" => Ok("mariadb"),
        other => {
            Err(invalid(format!("there are data sources of sqlite, postgres, mysql and mariadb, not of \"{other}\"")))
        }
    }
}

fn is_same_kind(given: &str, kind: &str) -> bool {
    given == kind || (given == "postgresql" && kind == "postgres")
}

fn text(values: &Record, name: &str) -> Result<Option<String>, ApiError> {
    match values.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= TEXT_CHARS_MAX && !text.contains('\0') => {
            Ok(Some(text.clone()).filter(|text| !text.is_empty()))
        }
        Some(_) => Err(invalid(format!("\"{name}\" must be a text of at most {TEXT_CHARS_MAX} characters"))),
    }
}

fn truth(values: &Record, name: &str) -> Result<Option<bool>, ApiError> {
    match values.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(truth)) => Ok(Some(*truth)),
        Some(_) => Err(invalid(format!("\"{name}\" must be a boolean"))),
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::invalid("INVALID_VALUE", message)
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` at the call reads best without a borrow")]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value, known: Option<&Settings>) -> Result<Settings, String> {
        let body = body.as_object().expect("an object");
        Settings::read(body, known).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check(body: Value, want: Result<&str, &str>) {
        let got = read(body.clone(), None);
        let got = got.as_ref().map(|settings| settings.0.options["url"].as_str().unwrap_or_default());
        assert_eq!(got.map_err(String::as_str), want, "{body}");
    }

    #[test]
    fn a_password_is_shown_as_stars() {
        check(json!({"url": "postgres://ann:s3cret@db/erp"}), Ok("postgres://ann:***@db/erp"));
        check(
            json!({"url": "mysql://ann@db:3306/erp?ssl-mode=required"}),
            Ok("mysql://ann@db:3306/erp?ssl-mode=required"),
        );
        let parts = json!({"host": "db", "port": 5433, "username": "an@n", "password": "s:/@", "database": "e rp"});
        check(json!({"type": "postgres", "options": parts}), Ok("postgres://an%40n:***@db:5433/e%20rp"));
        check(json!({"type": "sqlite", "options": {"storage": "erp.db"}}), Ok("sqlite:erp.db"));
    }

    #[test]
    fn mistakes_are_told_in_one_sentence() {
        check(json!({}), Err("\"url\" is required, or \"type\" and \"options\""));
        check(json!({"url": 1}), Err("\"url\" must be a string"));
        check(json!({"url": "nonsense"}), Err("\"url\": relative URL without a base"));
        check(
            json!({"url": "oracle://db/erp"}),
            Err("there are data sources of sqlite, postgres, mysql and mariadb, not of \"oracle\""),
        );
        check(
            json!({"url": "postgres://db/erp?password=x"}),
            Err("\"url\": the password stands before the host, not in \"password\""),
        );
        check(
            json!({"url": "postgres://db/erp", "type": "mysql"}),
            Err("\"type\" is mysql, and the address is one of postgres"),
        );
        check(
            json!({"type": "postgres", "options": {"host": "db", "ssl": true}}),
            Err("\"options.ssl\" is nothing that an address has; a \"url\" takes parameters"),
        );
        check(json!({"url": "postgres://db/erp", "maxConnections": 0}), Err("\"maxConnections\" must be 2 to 64"));
        check(json!({"url": "postgres://db/erp", "tables": "a"}), Err("\"tables\" must be an array of names"));
        check(json!({"url": "postgres://db/erp", "enable": true}), Err("\"enable\" is nothing that a data source has"));
    }

    #[test]
    fn stars_keep_a_password_for_the_same_server_and_user_only() {
        let known = read(json!({"url": "postgres://ann:s3cret@db/erp"}), None).expect("settings");
        let check = |url: &str, want: Option<&str>| {
            let got = read(json!({"url": url}), Some(&known));
            let got = got.ok().and_then(|it| it.0.secrets["url"].as_str().map(str::to_owned));
            assert_eq!(got.as_deref(), want, "{url}");
        };
        check("postgres://ann:***@db/erp", Some("postgres://ann:s3cret@db/erp"));
        check("postgres://ann:***@db/other", Some("postgres://ann:s3cret@db/other"));
        check("postgres://ann:new@db/erp", Some("postgres://ann:new@db/erp"));
        check("postgres://ann:***@elsewhere/erp", None);
        check("postgres://bob:***@db/erp", None);
        check("postgres://ann:***@db/erp?host=elsewhere", None);
        let renamed = read(json!({"displayName": "ERP"}), Some(&known)).expect("settings");
        assert!(renamed.connects_like(&known) && renamed != known);
    }

    #[test]
    fn only_files_of_the_folder_are_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join("inside");
        std::fs::create_dir(&inside).expect("a folder");
        for file in [folder.path().join("outside.db"), inside.join("erp.db")] {
            std::fs::write(file, "").expect("a file");
        }
        let fence = Folder(Some(inside.clone()));
        assert!(fence.file("erp.db").is_ok() && fence.file(&inside.join("erp.db").display().to_string()).is_ok());
        for path in ["../outside.db", "nosuch.db", "", "/etc/passwd"] {
            assert!(fence.file(path).is_err(), "{path}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.path().join("outside.db"), inside.join("link.db")).expect("a link");
            assert!(fence.file("link.db").is_err());
        }
        assert!(Folder(None).file("erp.db").is_err());
    }
}
