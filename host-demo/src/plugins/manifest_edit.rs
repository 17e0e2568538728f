//! Changes to `plugin.toml` that leave everything else in it as it was: comments, order, spacing.
//!
//! The file is replaced in one step, so that nobody ever reads half of it, and only if it still says what the change was
//! made for.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;
use toml_edit::{DocumentMut, Table, value};

use super::{
    error::{ChangeError, PluginHostError},
    manifest::Manifest,
};

/// A manifest's text, and what is to become of it.
pub(super) struct ManifestEdit {
    path: PathBuf,
    before: String,
    after: DocumentMut,
}

impl ManifestEdit {
    /// Reads the file.
    pub(super) fn open(path: &Path) -> Result<Self, PluginHostError> {
        // Behind a link, the file is replaced and not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let before = fs::read_to_string(&path)
            .map_err(|source| PluginHostError::ManifestUnreadable { path: path.clone(), source })?;
        // Read the strict way first: it tells mistakes in one line.
        Manifest::parse(&before, &path)?;
        let after = before.parse::<DocumentMut>().map_err(|error| PluginHostError::ManifestInvalid {
            path: path.clone(),
            problem: error.message().replace('\n', " "),
        })?;
        Ok(Self { path, before, after })
    }

    /// What the file will say; paths in it lead from the working directory.
    pub(super) fn manifest(&self) -> Result<Manifest, PluginHostError> {
        Manifest::parse(&self.after.to_string(), &self.path)
    }

    /// The folder that relative paths in it start from.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Switches an entry on or off.
    pub(super) fn set_enabled(&mut self, id: &str, enabled: bool) {
        if let Some(entry) = self.entry(id) {
            if enabled && !entry.contains_key("enabled") {
                return;
            }
            set(entry, "enabled", value(enabled));
        }
    }

    /// Lets an entry name another library.
    pub(super) fn set_library(&mut self, id: &str, library: &str) {
        if let Some(entry) = self.entry(id) {
            set(entry, "library", value(library));
        }
    }

    /// Lets an entry expect another checksum.
    pub(super) fn set_sha256(&mut self, id: &str, sha256: &str) {
        if let Some(entry) = self.entry(id) {
            set(entry, "sha256", value(sha256));
        }
    }

    fn entry(&mut self, id: &str) -> Option<&mut Table> {
        let entries = self.after.get_mut("plugin")?.as_array_of_tables_mut()?;
        entries.iter_mut().find(|entry| entry.get("id").and_then(|id| id.as_str()) == Some(id))
    }

    /// Puts the changed text in the file's place.
    pub(super) fn write(&self) -> Result<(), ChangeError> {
        let after = self.after.to_string();
        if after == self.before {
            return Ok(());
        }
        let unwritable = |source| ChangeError::Unwritable { path: self.path.clone(), source };
        if fs::read_to_string(&self.path).map_err(unwritable)? != self.before {
            return Err(ChangeError::ChangedMeanwhile { path: self.path.clone() });
        }
        self.replace(&after).map_err(unwritable)
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        let folder = if self.folder() == Path::new("") { Path::new(".") } else { self.folder() };
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(fs::metadata(&self.path)?.permissions())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        // The new name is as durable as the text.
        #[cfg(unix)]
        fs::File::open(folder)?.sync_all()?;
        Ok(())
    }
}

/// Changes a value and keeps what stands around it; a new key goes before the entry's own tables.
fn set(entry: &mut Table, key: &str, mut new: toml_edit::Item) {
    if let (Some(old), Some(new)) = (entry.get(key).and_then(toml_edit::Item::as_value), new.as_value_mut()) {
        *new.decor_mut() = old.decor().clone();
    }
    entry.insert(key, new);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# What this host loads.

[[plugin]]
id      = \"a\"     # the first
library = \"./a.so\" # built by hand

[plugin.settings]
colour = \"red\" # not blue

# The second one is
# off for now.
[[plugin]]
id = \"b\"
library = \"plugin_b\"
enabled = false # too slow
";

    fn edited(change: impl FnOnce(&mut ManifestEdit)) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plugin.toml");
        fs::write(&path, TEXT).expect("written");
        let mut edit = ManifestEdit::open(&path).expect("it reads");
        change(&mut edit);
        edit.write().expect("it is written");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
        fs::read_to_string(&path).expect("text")
    }

    #[test]
    fn one_value_changes_and_the_rest_stays() {
        assert_eq!(edited(|edit| edit.set_enabled("a", true)), TEXT, "it is on already");
        assert_eq!(edited(|edit| edit.set_enabled("b", true)), TEXT.replace("= false #", "= true #"));
        assert_eq!(edited(|edit| edit.set_library("a", "./a2.so")), TEXT.replace("./a.so", "./a2.so"));
        assert_eq!(
            edited(|edit| edit.set_enabled("a", false)),
            TEXT.replace("built by hand\n", "built by hand\nenabled = false\n")
        );
        let both = edited(|edit| {
            edit.set_library("b", "./b.so");
            edit.set_sha256("b", "00");
        });
        assert_eq!(both, TEXT.replace("plugin_b", "./b.so") + "sha256 = \"00\"\n");
    }

    #[test]
    fn a_file_that_was_changed_meanwhile_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("plugin.toml");
        fs::write(&path, TEXT).expect("written");
        let mut edit = ManifestEdit::open(&path).expect("it reads");
        edit.set_enabled("b", true);
        fs::write(&path, "# mine\n").expect("written");
        assert!(matches!(edit.write(), Err(ChangeError::ChangedMeanwhile { .. })));
        assert_eq!(fs::read_to_string(&path).expect("text"), "# mine\n");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("real.toml"), folder.path().join("plugin.toml"));
        fs::write(&file, TEXT).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("changed");
        symlink(&file, &link).expect("linked");
        let mut edit = ManifestEdit::open(&link).expect("it reads");
        edit.set_enabled("b", true);
        edit.write().expect("it is written");
        assert!(fs::symlink_metadata(&link).expect("there").file_type().is_symlink());
        assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o640);
        assert!(fs::read_to_string(&file).expect("text").contains("enabled = true # too slow"));
    }
}
