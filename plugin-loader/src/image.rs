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

use crate::{error::LibraryProblem, preflight, private_folder::PrivateFolder};

/// The most a library may have, in MiB: ten times a plugin with all its debug information.
const LIMIT_MIB: u64 = 256;

/// The private copies of a program's libraries. Their folder is made with the first, in the system's folder for temporary files, and
/// goes with this; libraries that are linked stay.
#[derive(Debug, Default)]
pub struct Images {
    folder: Option<PrivateFolder>,
    copies: usize,
}

impl Images {
    /// Copies a library after checking it, against a checksum in hexadecimal if there is one; the copy's path, which was never
    /// used before.
    ///
    /// # Errors
    ///
    /// The file cannot be read or copied, has another checksum, or is no library of this machine.
    pub fn take(&mut self, path: &Path, sha256: Option<&str>) -> Result<PathBuf, LibraryProblem> {
        let bytes = read(path)?;
        if let Some(expected) = sha256 {
            verify(&bytes, expected)?;
        }
        preflight::check(&bytes).map_err(|reason| LibraryProblem::Image { path: path.to_owned(), reason })?;

        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let copies = self.copies;
        self.copies += 1;
        let folder = self.folder()?;
        let copy = folder.join(format!("{copies}-{name}"));
        File::create_new(&copy)
            .and_then(|mut file| file.write_all(&bytes))
            .map_err(|source| LibraryProblem::Uncopied { folder: folder.to_owned(), source })?;
        Ok(copy)
    }

    fn folder(&mut self) -> Result<&Path, LibraryProblem> {
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => {
                let parent = env::temp_dir();
                let folder = PrivateFolder::new_in(&parent);
                folder.map_err(|source| LibraryProblem::Uncopied { folder: parent, source })?
            }
        };
        Ok(self.folder.insert(folder).path())
    }
}

/// Says whether a library is, byte by byte, what was copied from it.
pub fn is_unchanged(library: &Path, copy: &Path) -> bool {
    matches!((read(library), read(copy)), (Ok(now), Ok(then)) if now == then)
}

/// The SHA-256 of a copy, in hexadecimal; `None` if it cannot be read any more.
pub fn sha256(copy: &Path) -> Option<String> {
    read(copy).ok().map(|bytes| digest(&bytes))
}

fn read(path: &Path) -> Result<Vec<u8>, LibraryProblem> {
    let unreadable = |source| LibraryProblem::Unreadable { path: path.to_owned(), source };
    // Asked before opening: opening a pipe would wait for its other end.
    let kind = fs::metadata(path).map_err(unreadable)?.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() { "a directory" } else { "a pipe, a socket or a device" };
        return Err(LibraryProblem::NotAFile { path: path.to_owned(), what });
    }
    let limit = LIMIT_MIB * 1024 * 1024;
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(LibraryProblem::TooLarge { path: path.to_owned(), limit_mib: LIMIT_MIB });
    }
    Ok(bytes)
}

fn verify(bytes: &[u8], expected: &str) -> Result<(), LibraryProblem> {
    let actual = digest(bytes);
    if actual.eq_ignore_ascii_case(expected.trim()) {
        Ok(())
    } else {
        Err(LibraryProblem::Checksum { expected: expected.trim().to_owned(), actual })
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
