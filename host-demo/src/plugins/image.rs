//! Takes a plugin's file in: reads it once, checks what was read, and keeps it as a private copy for the linker.
//!
//! What is checked is what is linked: nobody can change the file in between, and a plugin that is rebuilt or
//! overwritten while the host runs does not change the code that is mapped into it.

use std::{
    env,
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{error::LoadProblem, preflight, private_folder::PrivateFolder};

/// The most a library may have, in MiB: ten times a plugin with all its debug information.
const LIMIT_MIB: u64 = 256;

/// The private copies of a host's libraries.
#[derive(Debug)]
pub(super) struct Images {
    folder: PrivateFolder,
    copies: usize,
}

impl Images {
    /// Makes an empty folder in the system's folder for temporary files.
    pub(super) fn new() -> Result<Self, LoadProblem> {
        let parent = env::temp_dir();
        let folder = PrivateFolder::new_in(&parent);
        let folder = folder.map_err(|source| LoadProblem::Uncopied { folder: parent, source })?;
        Ok(Self { folder, copies: 0 })
    }

    /// Copies a library after checking it; the copy's path, which was never used before.
    pub(super) fn take(&mut self, path: &Path, sha256: Option<&str>) -> Result<PathBuf, LoadProblem> {
        let bytes = read(path)?;
        if let Some(expected) = sha256 {
            verify(&bytes, expected)?;
        }
        preflight::check(&bytes).map_err(|reason| LoadProblem::Image { path: path.to_owned(), reason })?;

        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let copy = self.folder.path().join(format!("{}-{name}", self.copies));
        self.copies += 1;
        File::create_new(&copy)
            .and_then(|mut file| file.write_all(&bytes))
            .map_err(|source| LoadProblem::Uncopied { folder: self.folder.path().to_owned(), source })?;
        Ok(copy)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, LoadProblem> {
    let unreadable = |source| LoadProblem::Unreadable { path: path.to_owned(), source };
    // Asked before opening: opening a pipe would wait for its other end.
    let kind = fs::metadata(path).map_err(unreadable)?.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() { "a directory" } else { "a pipe, a socket or a device" };
        return Err(LoadProblem::NotAFile { path: path.to_owned(), what });
    }
    let limit = LIMIT_MIB * 1024 * 1024;
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(LoadProblem::TooLarge { path: path.to_owned(), limit_mib: LIMIT_MIB });
    }
    Ok(bytes)
}

fn verify(bytes: &[u8], expected: &str) -> Result<(), LoadProblem> {
    let actual: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if actual.eq_ignore_ascii_case(expected.trim()) {
        Ok(())
    } else {
        Err(LoadProblem::Checksum { expected: expected.trim().to_owned(), actual })
    }
}
