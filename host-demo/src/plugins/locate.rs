//! Finds the file of a plugin's library.

use std::{
    env,
    env::consts::{DLL_EXTENSION, DLL_PREFIX, DLL_SUFFIX},
    path::{Path, PathBuf},
};

use super::error::LoadProblem;

/// Finds the file that `library` names.
///
/// A path is taken as it is. A bare crate name, `plugin_x`, is `libplugin_x.so` (as this platform spells it) in the
/// `deps` folder beside the host's executable, or beside the executable itself. Cargo keeps the freshest build in
/// `deps`; an installation has no such folder. The system's library folders are never searched.
pub(super) fn locate(library: &Path) -> Result<PathBuf, LoadProblem> {
    let candidates = if library.components().count() > 1 { vec![library.to_owned()] } else { near_executable(library) };
    match candidates.iter().find(|path| path.exists()) {
        Some(found) => Ok(found.clone()),
        None => {
            Err(LoadProblem::NotFound { searched: candidates.iter().map(|path| path.display().to_string()).collect() })
        }
    }
}

fn near_executable(name: &Path) -> Vec<PathBuf> {
    let is_file_name = name.extension().is_some_and(|extension| extension == DLL_EXTENSION);
    let file =
        if is_file_name { name.display().to_string() } else { format!("{DLL_PREFIX}{}{DLL_SUFFIX}", name.display()) };
    let executable = env::current_exe().unwrap_or_default();
    let folder = executable.parent().unwrap_or(Path::new(""));
    vec![folder.join("deps").join(&file), folder.join(&file)]
}
