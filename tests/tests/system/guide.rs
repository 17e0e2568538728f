//! The pages for plugin authors, done as they say: their files are written, built and tested, their manifest is served, their calls
//! are made, and they print what is shown.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::harness::{Host, HostOptions, process::PASSWORD};

/// How the guide calls the checkout beside the new crate.
const CHECKOUT: &str = "../workflow-action-trigger";
/// Between what two blocks print.
const MARK: &str = "---- next block ----";

/// A fenced block.
#[derive(Debug)]
struct Block<'a> {
    /// What stands behind the opening fence.
    info: &'a str,
    text: String,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let text = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
            blocks.push(Block { info, text });
        }
    }
    blocks
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project").to_owned()
}

fn cargo(arguments: &[&str], folder: &Path) {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(arguments)
        .args(["--offline", "--quiet", "--target-dir"])
        // Shared with other plugins that are made outside of the workspace: they have the same dependencies.
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("authors"))
        .current_dir(folder)
        .output()
        .expect("cargo runs");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "cargo {arguments:?}\n{said}");
}

#[tokio::test]
async fn the_guide_for_plugin_authors_holds() {
    holds("docs/writing-a-trigger-plugin.md").await;
}

#[tokio::test]
async fn the_page_about_routes_nodes_and_services_holds() {
    holds("docs/plugin-offers.md").await;
}

/// Does what a page says.
async fn holds(page: &str) {
    let project = project();
    let page = fs::read_to_string(project.join(page)).expect("the page");
    let blocks = blocks(&page);
    let folder = tempfile::tempdir().expect("a folder");

    let mut manifest = None;
    for block in &blocks {
        let Some((_, file)) = block.info.split_once(" file=") else { continue };
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, block.text.replace(CHECKOUT, &project.display().to_string())).expect("written");
        if file == "plugin.toml" {
            manifest = Some(block.text.as_str());
        }
    }
    // The versions that are there already, so that nothing has to be fetched.
    fs::copy(project.join("Cargo.lock"), folder.path().join("Cargo.lock")).expect("copied");
    cargo(&["test"], folder.path());
    cargo(&["build"], folder.path());

    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("authors");
    let manifest = manifest.expect("the page has a manifest");
    assert!(manifest.contains("\"target/"), "{manifest}");
    let manifest = manifest.replace("\"target/", &format!("\"{}/", target.display()));
    let host = Host::start_with(HostOptions { manifest, ..HostOptions::default() }).await;

    let mut script = format!("set -eu\nAPI={}/api PASSWORD={PASSWORD}\n", host.base_url());
    let mut shown: Vec<Option<&str>> = Vec::new();
    for block in &blocks {
        if block.info == "sh run" {
            script.push_str(&block.text);
            script.push_str(&format!("echo; echo '{MARK}'\n"));
            shown.push(None);
        } else if block.info == "text output" {
            *shown.last_mut().expect("output comes behind a call") = Some(&block.text);
        }
    }
    let output = Command::new("sh").arg("-c").arg(&script).current_dir(folder.path()).output().expect("sh runs");
    let printed = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    let printed: Vec<&str> = printed.split(MARK).take(shown.len()).map(str::trim).collect();
    assert!(shown.iter().flatten().count() >= 2, "the page shows what is printed");
    for (expected, found) in shown.iter().zip(&printed) {
        if let Some(expected) = expected {
            assert_eq!(*found, expected.trim(), "all that was printed: {printed:#?}\n{}", host.log());
        }
    }
}
