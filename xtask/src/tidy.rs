//! Checks what the compiler does not. Each check is a function from what it looks at to its complaints, so that a test
//! can show it a bad example.

mod arrows;
mod links;
mod migrations;
mod modules;
mod sources;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;

use crate::cargo;

/// Folders that hold nothing of ours to check.
const SKIPPED_FOLDERS: [&str; 3] = ["target", "node_modules", "data"];

/// Folders whose Rust files are no part of the workspace: what was published stays as it was, an example stands alone, and a
/// template is not Rust yet. All are built by tests.
const OTHERS: [&str; 3] = ["tests/frozen", "examples", "xtask/templates"];

/// A text file of the workspace.
struct SourceFile {
    /// From the workspace's root.
    path: PathBuf,
    text: String,
}

impl SourceFile {
    #[cfg(test)]
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.to_owned() }
    }
}

/// Runs every check and prints every complaint.
pub(crate) fn run() -> Result<()> {
    let metadata = cargo::metadata()?;
    let root = metadata.workspace_root.as_std_path();
    let paths = walk(root)?;
    let rust = read(root, &paths, "rs")?;
    let markdown = read(root, &paths, "md")?;

    let packages = arrows::packages(&metadata);
    let mut complaints = arrows::check(&packages);
    complaints.extend(rust.iter().flat_map(sources::check));
    complaints.extend(modules::check(&rust, &modules::roots(&metadata)));
    complaints.extend(modules::check_test_programs(&metadata));
    complaints.extend(migrations::check(&paths));
    complaints.extend(links::check(&markdown, &paths));

    for complaint in &complaints {
        eprintln!("tidy: {complaint}");
    }
    if !complaints.is_empty() {
        bail!("tidy: {} complaints", complaints.len());
    }
    println!("tidy: {} packages, {} Rust files and {} pages are fine", packages.len(), rust.len(), markdown.len());
    Ok(())
}

/// Lists the files and folders of the workspace, from its root, in order.
fn walk(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let ours = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        let hidden = name.starts_with('.') && name != ".ci" && name != ".cargo";
        entry.depth() == 0 || !(hidden || entry.file_type().is_dir() && SKIPPED_FOLDERS.contains(&name.as_ref()))
    };
    let mut paths = BTreeSet::new();
    for entry in WalkDir::new(root).into_iter().filter_entry(ours) {
        paths.insert(entry?.path().strip_prefix(root)?.to_owned());
    }
    Ok(paths)
}

fn read(root: &Path, paths: &BTreeSet<PathBuf>, extension: &str) -> Result<Vec<SourceFile>> {
    let is_ours = |path: &Path| extension != "rs" || !OTHERS.iter().any(|folder| path.starts_with(folder));
    let wanted = paths.iter().filter(|path| path.extension().is_some_and(|found| found == extension) && is_ours(path));
    wanted
        .map(|path| {
            let text = fs::read_to_string(root.join(path)).with_context(|| path.display().to_string())?;
            Ok(SourceFile { path: path.clone(), text })
        })
        .collect()
}
