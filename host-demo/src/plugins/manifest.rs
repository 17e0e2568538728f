//! `plugin.toml`: which plugins the host loads, in which order, with which settings.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use plugin_api::Service;
use serde::Deserialize;

use super::{breaker::BreakerSettings, error::PluginHostError};

/// A manifest, parsed and checked. Hooks are asked in its order.
#[derive(Debug, Clone, Default)]
pub struct Manifest {
    /// The plugins.
    pub plugins: Vec<ManifestEntry>,
}

/// One plugin of a [`Manifest`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestEntry {
    /// The plugin's id.
    pub id: String,
    /// A bare name (`plugin_x`: `libplugin_x.so` near the host's executable), or a path; in a file, relative to it.
    pub library: PathBuf,
    /// Whether the host refuses to start without it.
    #[serde(default)]
    pub required: bool,
    /// Whether it is loaded at all.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// The services that the plugin may call.
    #[serde(default)]
    pub grants: Vec<Service>,
    /// The plugin's own settings.
    #[serde(default)]
    pub settings: toml::Table,
    /// The file's SHA-256 in hexadecimal, checked if given.
    #[serde(default)]
    pub sha256: Option<String>,
    /// When it is taken out of service.
    #[serde(default)]
    pub breaker: BreakerSettings,
}

const fn enabled() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestFile {
    #[serde(default)]
    plugin: Vec<ManifestEntry>,
}

impl ManifestEntry {
    /// An optional, enabled plugin without settings.
    pub fn new(id: impl Into<String>, library: impl Into<PathBuf>) -> Self {
        Self {
            id: id.into(),
            library: library.into(),
            required: false,
            enabled: true,
            grants: Vec::new(),
            settings: toml::Table::new(),
            sha256: None,
            breaker: BreakerSettings::default(),
        }
    }
}

impl Manifest {
    /// Reads a manifest; paths in it become relative to the working directory.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is no TOML, has unknown keys, or lists an id twice.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, PluginHostError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path)
            .map_err(|source| PluginHostError::ManifestUnreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a manifest that lies, or will lie, at `path`.
    pub(super) fn parse(text: &str, path: &Path) -> Result<Self, PluginHostError> {
        let invalid = |problem: String| PluginHostError::ManifestInvalid { path: path.to_owned(), problem };
        let file: ManifestFile = toml::from_str(text).map_err(|error| invalid(one_line(text, &error)))?;
        let mut manifest = Self { plugins: file.plugin };
        let folder = path.parent().unwrap_or(Path::new(""));
        for entry in &mut manifest.plugins {
            if !is_id(&entry.id) {
                let problem = format!("the id \"{}\" is not made of lower-case letters, digits and \"-\"", entry.id);
                return Err(invalid(problem));
            }
            if entry.library.components().count() > 1 {
                entry.library = folder.join(&entry.library);
            }
        }
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks that each id is there once.
    pub(super) fn check(&self) -> Result<(), PluginHostError> {
        let mut seen: HashMap<&str, &Path> = HashMap::new();
        for entry in &self.plugins {
            if let Some(first) = seen.insert(&entry.id, &entry.library) {
                return Err(PluginHostError::DuplicateId {
                    id: entry.id.clone(),
                    first: first.to_owned(),
                    second: entry.library.clone(),
                });
            }
        }
        Ok(())
    }
}

/// Says whether a text can be the id of a plugin or trigger type.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// TOML errors show the source in several lines; an operator's log wants the place and the reason.
fn one_line(text: &str, error: &toml::de::Error) -> String {
    let reason = error.message().replace('\n', " ");
    match error.span() {
        Some(span) => {
            let line = text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1);
            format!("line {line}: {reason}")
        }
        None => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Manifest, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plugin.toml");
        fs::write(&path, text).expect("writes");
        let prefix = format!("{}/", folder.path().display());
        Manifest::read(&path).map_err(|error| error.to_string().replace(&prefix, ""))
    }

    #[test]
    fn optional_enabled_and_without_settings_unless_it_says_otherwise() {
        let manifest = read("[[plugin]]\nid = \"a\"\nlibrary = \"plugin_a\"\n").expect("reads");
        let [entry] = manifest.plugins.as_slice() else { panic!("one plugin, not {manifest:?}") };
        assert!(!entry.required && entry.enabled && entry.settings.is_empty() && entry.sha256.is_none());
        assert_eq!(entry.library, Path::new("plugin_a"), "a bare name stays bare");
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plugin.toml");
        fs::write(&path, "[[plugin]]\nid = \"a\"\nlibrary = \"./lib/a.so\"\n").expect("writes");
        let manifest = Manifest::read(&path).expect("reads");
        assert_eq!(manifest.plugins[0].library, folder.path().join("./lib/a.so"));
    }

    #[test]
    fn mistakes_are_one_line() {
        fn check(text: &str, expected: &str) {
            let error = read(text).expect_err("a mistake");
            assert_eq!(error, expected, "for {text:?}");
        }
        check("[[plugin]]\nid = \"a\"\n", "plugin.toml: line 1: missing field `library`");
        check(
            "[[plugin]]\nid = \"a\"\nlibrary = \"x\"\ncolour = 1\n",
            "plugin.toml: line 4: unknown field `colour`, expected one of `id`, `library`, `required`, `enabled`, `grants`, `settings`, `sha256`, `breaker`",
        );
        check(
            "[[plugin]]\nid = \"a\"\nlibrary = \"x\"\ngrants = [\"teleport\"]\n",
            "plugin.toml: line 4: unknown variant `teleport`, expected one of `records`, `workflows`, `routes`, `clock`",
        );
        check(
            "[[plugin]]\nid = \"A\"\nlibrary = \"x\"\n",
            "plugin.toml: the id \"A\" is not made of lower-case letters, digits and \"-\"",
        );
        check(
            "[[plugin]]\nid = \"a\"\nlibrary = \"x\"\n[[plugin]]\nid = \"a\"\nlibrary = \"y\"\n",
            "plugin \"a\" is listed twice, as x and as y: remove one of the two entries",
        );
    }
}
