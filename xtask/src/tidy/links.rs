//! Relative links of pages lead to files that are there.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

use super::SourceFile;

/// Complains about each relative link whose file or folder is not among `paths`.
pub(super) fn check(pages: &[SourceFile], paths: &BTreeSet<PathBuf>) -> Vec<String> {
    let dead = |page: &SourceFile| -> Vec<String> {
        let folder = page.path.parent().unwrap_or(Path::new(""));
        targets(&page.text)
            .filter(|(_, target)| resolve(folder, target).is_none_or(|path| !paths.contains(&path)))
            .map(|(line, target)| format!("{}:{line}: {target} is not there", page.path.display()))
            .collect()
    };
    pages.iter().flat_map(dead).collect()
}

/// The relative link targets outside code blocks, without their anchors, and the lines they stand in.
fn targets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines().zip(1..).flat_map(move |(line, number)| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        let prose = if in_code || fence { "" } else { line };
        prose.split("](").skip(1).filter_map(move |rest| {
            let target = rest.split_once(')')?.0.split('#').next()?;
            let elsewhere = target.contains("://") || target.starts_with("mailto:");
            (!target.is_empty() && !elsewhere).then_some((number, target))
        })
    })
}

/// The path from the workspace's root; `None` if the link leaves it.
fn resolve(folder: &Path, target: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for part in folder.join(target).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::{SourceFile, check};

    fn complaints(text: &str) -> Vec<String> {
        let paths = ["README.md", "docs", "docs/guide.md", "docs/adr", "docs/adr/0001-abi.md"].map(Into::into);
        check(&[SourceFile::new("docs/guide.md", text)], &paths.into_iter().collect())
    }

    #[test]
    fn links_to_what_is_there_are_fine() {
        let text = "[a](adr/0001-abi.md#part), [b](../README.md) and [c](https://example.com/x), [d](#here), [e](adr/)\n\
                    ```md\n[f](nosuch.md)\n```";
        assert_eq!(complaints(text), [""; 0]);
    }

    #[test]
    fn dead_links_are_found() {
        assert_eq!(complaints("\nsee [a](nosuch.md)"), ["docs/guide.md:2: nosuch.md is not there"]);
        assert_eq!(complaints("[a](../../out.md)"), ["docs/guide.md:1: ../../out.md is not there"]);
        assert_eq!(complaints("[a](/etc/hosts)"), ["docs/guide.md:1: /etc/hosts is not there"]);
    }
}
