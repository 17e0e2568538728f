//! Why a library cannot be opened, in one line for the operator or the author: what is wrong, what to do.

use std::path::PathBuf;

/// Why a library cannot be opened. Reads on from the plugin's name: `plugin "x" …`.
#[derive(Debug, thiserror::Error)]
pub enum LibraryProblem {
    /// The file is a directory, a pipe or a device.
    #[error("is not a file: {} is {what}; name the library itself", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The file cannot be read.
    #[error("cannot be read: {}: {source}; let the host's user read it", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file cannot be copied.
    #[error("cannot be copied to {}: {source}; make room there, or let TMPDIR name another folder", folder.display())]
    Uncopied {
        /// The folder of copies.
        folder: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is larger than any plugin should be.
    #[error("is too large: {} has more than {limit_mib} MiB; strip its debug information", path.display())]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// The most a library may have, in MiB.
        limit_mib: u64,
    },
    /// The file is not the one the manifest means.
    #[error(
        "has another checksum than the manifest says: sha256 is {actual}, not {expected}; if the new file is meant, put its checksum there"
    )]
    Checksum {
        /// The manifest's, in hexadecimal.
        expected: String,
        /// The file's, in hexadecimal.
        actual: String,
    },
    /// The linker would refuse the file, or crash on it.
    #[error("is no library for this host: {} {reason}", path.display())]
    Image {
        /// The path.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The linker refused the file.
    #[error("cannot be linked: {reason}; {}", link_advice(reason))]
    Link {
        /// What the linker says.
        reason: String,
    },
    /// The library has no root symbol.
    #[error("is a library but no plugin: {} exports no plugin; does its crate call export_plugin! and is it a cdylib?", path.display())]
    NoPlugin {
        /// The path.
        path: PathBuf,
    },
    /// The library was built with another major version of the API.
    #[error("was built with plugin-api {theirs}, this host has {ours}: build it with plugin-api {}", compatible(ours))]
    Version {
        /// The library's.
        theirs: String,
        /// The host's.
        ours: String,
    },
    /// The foundation of the ABI differs.
    #[error("was built with another abi_stable ({reason}): build it with the plugin-api {ours} of this host")]
    Foundation {
        /// What differs.
        reason: String,
        /// The host's version of the API.
        ours: String,
    },
    /// The library says it has a version whose layout it does not have.
    #[error("does not have the layout of plugin-api {ours}: {}; build it with the published plugin-api", differences.join("; "))]
    Layout {
        /// The host's version of the API.
        ours: String,
        /// At most four differences, the deepest first.
        differences: Vec<String>,
    },
    /// The library cannot say what it holds.
    #[error("has a root module that cannot be read: {0}; build it with the published plugin-api")]
    Root(String),
}

fn link_advice(reason: &str) -> &'static str {
    // What glibc says where nothing may be executed.
    if reason.contains("failed to map segment") {
        "let TMPDIR name a folder whose file system allows programs (is not mounted noexec)"
    } else {
        "install what it needs, or build it on this system"
    }
}

fn compatible(version: &str) -> String {
    let major = version.split('.').next().unwrap_or(version);
    format!("{major}.x")
}
