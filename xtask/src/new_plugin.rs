//! Makes a plugin that compiles and has tests, to be changed from there.
//!
//! The templates are the files of `xtask/templates/plugin`; `{{name}}` stands for what differs. In the workspace a plugin becomes a
//! member, and inherits; elsewhere it is a workspace of its own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;

/// The templates, by the path each file gets in the plugin's folder.
const TEMPLATES: [(&str, &str); 4] = [
    ("Cargo.toml", include_str!("../templates/plugin/Cargo.toml")),
    ("README.md", include_str!("../templates/plugin/README.md")),
    ("src/lib.rs", include_str!("../templates/plugin/src/lib.rs")),
    ("tests/scenarios.rs", include_str!("../templates/plugin/tests/scenarios.rs")),
];

/// Folder, crate and library names carry it; `plugin-api`, `plugin-loader` and `plugin-testkit` are no plugins.
const PREFIX: &str = "plugin-";
const TAKEN: [&str; 3] = ["api", "loader", "testkit"];
/// A file name with it still fits into any file system.
const MOST_CHARS: usize = 64;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// What it is called, such as `order-paid`: lower-case words with "-" between them
    name: String,
    /// Makes a workspace of its own in this folder, instead of a member of this one
    #[arg(long)]
    path: Option<PathBuf>,
    /// Lists it in plugin.toml; without this, its entry there is a comment
    #[arg(long, conflicts_with = "path")]
    enable: bool,
}

/// Makes the plugin and says what to do next.
pub(crate) fn run(options: &Options) -> Result<()> {
    let name = Name::parse(&options.name)?;
    let metadata = cargo::metadata()?;
    let root = metadata.workspace_root.as_std_path();
    if let Some(folder) = &options.path {
        write(folder, &name, &Surroundings::Elsewhere { project: root })?;
        format(folder)?;
        println!("made {}; try `cargo test` there", folder.display());
    } else {
        let package = name.package();
        write(&root.join(&package), &name, &Surroundings::Workspace)?;
        join_workspace(root, &name, options.enable)?;
        format(&root.join(&package))?;
        println!("made {package}; try `cargo test --package {package}`");
        if !options.enable {
            println!("its entry in plugin.toml is a comment; a host loads it when that is one no more");
        }
    }
    Ok(())
}

/// A plugin's name: lower-case words of letters and digits with one `-` between them, without `plugin-` before it.
struct Name(String);

impl Name {
    fn parse(text: &str) -> Result<Self> {
        let bare = text.strip_prefix(PREFIX).unwrap_or(text);
        let is_word = |word: &str| {
            word.starts_with(|first: char| first.is_ascii_lowercase())
                && word.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit())
        };
        ensure!(
            bare.split('-').all(is_word),
            "\"{text}\" is no name for a plugin: use lower-case words that begin with a letter, with \"-\" between them"
        );
        ensure!(bare.len() <= MOST_CHARS, "the name has {} characters, at most {MOST_CHARS}", bare.len());
        ensure!(!TAKEN.contains(&bare), "{PREFIX}{bare} is part of the project");
        Ok(Self(bare.to_owned()))
    }

    fn package(&self) -> String {
        format!("{PREFIX}{}", self.0)
    }

    fn crate_name(&self) -> String {
        self.package().replace('-', "_")
    }

    /// `OrderPaidPlugin`; the suffix keeps it apart from the other types.
    fn type_name(&self) -> String {
        let words = self.0.split('-').map(capitalised);
        words.chain(["Plugin".to_owned()]).collect()
    }

    /// `Order paid`.
    fn title(&self) -> String {
        capitalised(&self.0.replace('-', " "))
    }
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

/// Where the plugin is made.
enum Surroundings<'a> {
    /// As a member of the workspace.
    Workspace,
    /// As a workspace of its own, which finds the project's crates here.
    Elsewhere { project: &'a Path },
}

impl Surroundings<'_> {
    fn package_keys(&self) -> String {
        match self {
            Self::Workspace => ["version", "edition", "rust-version", "license", "publish"]
                .map(|key| format!("{key}.workspace = true"))
                .join("\n"),
            Self::Elsewhere { .. } => {
                "version = \"0.1.0\"\nedition = \"2024\"\nrust-version = \"1.95\"\npublish = false".to_owned()
            }
        }
    }

    fn dependencies(&self) -> String {
        match self {
            Self::Workspace => "[lints]\nworkspace = true\n\n[dependencies]\nplugin-api.workspace = true\n\
                                schemars.workspace = true\nserde.workspace = true\nserde_json.workspace = true\n\n\
                                [dev-dependencies]\nplugin-testkit.workspace = true"
                .to_owned(),
            Self::Elsewhere { project } => {
                let path = |name: &str| toml_string(&project.join(name).display().to_string());
                format!(
                    "# From a repository: plugin-api = {{ git = \"https://…\", tag = \"…\" }}\n[dependencies]\n\
                     plugin-api = {{ path = {} }}\nschemars = \"1.2\"\n\
                     serde = {{ version = \"1\", features = [\"derive\"] }}\nserde_json = \"1\"\n\n\
                     [dev-dependencies]\nplugin-testkit = {{ path = {} }}\n\n[workspace]",
                    path("plugin-api"),
                    path("plugin-testkit")
                )
            }
        }
    }
}

/// A basic string with what TOML wants escaped.
fn toml_string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Writes the plugin's files into a folder that is not there yet, or is empty.
fn write(folder: &Path, name: &Name, surroundings: &Surroundings<'_>) -> Result<()> {
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file() {
        bail!("{} is there already, and is left as it is", folder.display());
    }
    let package_flag = match surroundings {
        Surroundings::Workspace => format!(" --package {}", name.package()),
        Surroundings::Elsewhere { .. } => String::new(),
    };
    let values = [
        ("{{id}}", name.0.clone()),
        ("{{package}}", name.package()),
        ("{{crate}}", name.crate_name()),
        ("{{type}}", name.type_name()),
        ("{{title}}", name.title()),
        ("{{package_flag}}", package_flag),
        ("{{package_keys}}", surroundings.package_keys()),
        ("{{dependencies}}", surroundings.dependencies()),
    ];
    for (path, template) in TEMPLATES {
        let text = values.iter().fold(template.to_owned(), |text, (key, value)| text.replace(key, value));
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

/// Where lines break depends on the names. Without rustfmt, which need not be installed, they stay as they are.
fn format(folder: &Path) -> Result<()> {
    let manifest = std::path::absolute(folder)?.join("Cargo.toml");
    let formatted = cargo::command(["fmt", "--manifest-path"])?.arg(manifest).output();
    if !formatted.is_ok_and(|output| output.status.success()) {
        eprintln!("`cargo fmt` did not run: the new files are not formatted");
    }
    Ok(())
}

/// Adds the plugin to the workspace's members and to the manifest.
fn join_workspace(root: &Path, name: &Name, enable: bool) -> Result<()> {
    edit(&root.join("Cargo.toml"), |text| with_member(text, &name.package()))?;
    edit(&root.join("plugin.toml"), |text| Some(with_entry(text, name, enable)))
}

fn edit(path: &Path, change: impl FnOnce(&str) -> Option<String>) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let changed = change(&text).with_context(|| format!("{} has another shape than expected", path.display()))?;
    fs::write(path, changed).with_context(|| path.display().to_string())
}

/// Behind the other plugins; `None` if there is no list of members.
fn with_member(manifest: &str, package: &str) -> Option<String> {
    let before = "    \"store\",\n";
    manifest.contains(before).then(|| manifest.replacen(before, &format!("    \"{package}\",\n{before}"), 1))
}

fn with_entry(manifest: &str, name: &Name, enable: bool) -> String {
    let mark = if enable { "" } else { "# " };
    format!(
        "{}\n\n{mark}[[plugin]]\n{mark}id = \"{}\"\n{mark}library = \"{}\"\n",
        manifest.trim_end(),
        name.0,
        name.crate_name()
    )
}

#[cfg(test)]
mod tests;
