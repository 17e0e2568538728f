//! The folder for private copies of libraries: readable by this user only, gone when the host stops.
//!
//! A host that was killed leaves its folder behind, as large as its plugins. The next one finds it by its lock, which
//! the system took back, and removes it.

use std::{
    fs::{self, File, Metadata},
    io,
    path::Path,
};

use tempfile::TempDir;

const PREFIX: &str = "host-demo-plugins-";
const LOCK: &str = "lock";

/// A locked folder. Dropping it removes it; libraries that are mapped from it stay mapped.
#[derive(Debug)]
pub(crate) struct PrivateFolder {
    // Removed before the lock is given back, so that nobody takes it for an abandoned one.
    folder: TempDir,
    _lock: File,
}

impl PrivateFolder {
    /// Makes a folder in `parent` and removes the abandoned ones there.
    pub(crate) fn new_in(parent: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        // It gets its name only when it is locked: an unlocked lock always belongs to a host that is gone.
        let unnamed = folder.path().join("lock.new");
        let lock = File::create_new(&unnamed)?;
        lock.lock()?;
        fs::rename(unnamed, folder.path().join(LOCK))?;
        if let Err(error) = remove_abandoned(parent, &fs::metadata(folder.path())?) {
            tracing::debug!(%error, "folders of earlier hosts could not be looked for");
        }
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn remove_abandoned(parent: &Path, ours: &Metadata) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let named_so = entry.file_name().to_string_lossy().starts_with(PREFIX);
        // Not following links, and only what belongs to this user: anyone may write to a folder for temporary files.
        if named_so && entry.metadata().is_ok_and(|found| found.is_dir() && same_owner(&found, ours)) {
            let path = entry.path();
            let abandoned = File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
            if abandoned && let Err(error) = fs::remove_dir_all(&path) {
                tracing::debug!(%error, path = %path.display(), "the folder of an earlier host stays");
            }
        }
    }
    Ok(())
}

#[cfg(unix)]
fn same_owner(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    one.uid() == other.uid()
}

#[cfg(not(unix))]
fn same_owner(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abandoned_folders_are_removed_and_those_in_use_stay() {
        let parent = tempfile::tempdir().expect("a folder");
        let in_use = PrivateFolder::new_in(parent.path()).expect("a folder");
        let abandoned = parent.path().join("host-demo-plugins-of-a-killed-host");
        let unrelated = parent.path().join("unrelated");
        for folder in [&abandoned, &unrelated] {
            fs::create_dir(folder).expect("a folder");
            fs::write(folder.join(LOCK), "").expect("a lock that nobody holds");
            fs::write(folder.join("0-libplugin.so"), "large").expect("a copy");
        }

        let mine = PrivateFolder::new_in(parent.path()).expect("a folder");
        assert!(!abandoned.exists());
        assert!(unrelated.exists() && in_use.path().exists() && mine.path().exists());

        let path = mine.path().to_owned();
        drop(mine);
        assert!(!path.exists(), "a host that stops takes its folder with it");
    }
}
