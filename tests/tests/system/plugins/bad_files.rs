//! Files that are no plugin: each is one readable line, the other plugins go on, and a required one stops the start.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use host_demo::plugins::{Manifest, ManifestEntry, PluginState, Plugins};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{failure, fixture, library, load};

/// A folder in which a test makes files.
struct Workshop(TempDir);

impl Workshop {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("the file is written");
        path
    }

    /// The good fixture with other bytes in some places.
    fn patched(&self, name: &str, patches: &[(usize, u8)]) -> PathBuf {
        let mut bytes = good();
        for (place, byte) in patches {
            bytes[*place] = *byte;
        }
        self.write(name, &bytes)
    }

    /// A shared library made of C.
    fn compiled(&self, name: &str, source: &str, arguments: &[&str]) -> PathBuf {
        let (source, path) = (self.write("source.c", source.as_bytes()), self.path(name));
        let compiler = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .arg(&path)
            .arg(source)
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .expect("a C compiler");
        assert!(compiler.status.success(), "{}", String::from_utf8_lossy(&compiler.stderr));
        path
    }
}

fn good() -> Vec<u8> {
    fs::read(library("plugin_fixture")).expect("the fixture's library")
}

/// Checks the line of a file, with the file's folder left out of it, and that it harms nobody else.
#[track_caller]
fn check(file: &Path, expected: &str) {
    check_entry(ManifestEntry::new("bad", file), expected);
}

#[track_caller]
fn check_entry(bad: ManifestEntry, expected: &str) {
    let folder = format!("{}/", bad.library.parent().expect("a folder").display());
    let plugins = load(vec![bad.clone(), fixture()]);
    let [first, second] = plugins.reports() else { panic!("two reports, not {:?}", plugins.reports()) };
    let line = failure(first).replace(&folder, "");
    assert_eq!(line, format!("plugin \"bad\" {expected}"));
    assert_eq!(second.state, PluginState::Loaded, "the other plugin goes on");
    assert!(plugins.trigger("fixture").is_some());

    let required = Manifest { plugins: vec![fixture(), ManifestEntry { required: true, ..bad }] };
    let error = Plugins::load(&required).err().expect("a required plugin failed");
    assert_eq!(error.to_string().replace(&folder, ""), format!("required plugin \"bad\" {expected}"));
}

#[test]
fn nothing_there() {
    let here = Workshop::new();
    check(&here.path("gone.so"), "has no library at gone.so: build it, or correct \"library\" in the manifest");
}

#[test]
fn no_file() {
    let here = Workshop::new();
    fs::create_dir(here.path("folder.so")).expect("a folder");
    check(&here.path("folder.so"), "is not a file: folder.so is a directory; name the library itself");

    let made = Command::new("mkfifo").arg(here.path("pipe.so")).status().expect("mkfifo runs");
    assert!(made.success());
    check(&here.path("pipe.so"), "is not a file: pipe.so is a pipe, a socket or a device; name the library itself");
}

#[test]
fn text() {
    let here = Workshop::new();
    let expected =
        |name| format!("is no library for this host: {name} is not a shared library; name the file that cargo builds");
    check(&here.write("text.so", b"#!/bin/sh\necho I am a plugin\n"), &expected("text.so"));
    check(&here.write("empty.so", b""), &expected("empty.so"));
}

#[test]
fn cut_off() {
    let here = Workshop::new();
    let bytes = good();
    for keep in [5, 40, 64, 4096, bytes.len() / 2, bytes.len() - 1] {
        let file = here.write("half.so", &bytes[..keep]);
        let plugins = load(vec![ManifestEntry::new("bad", file), fixture()]);
        let line = failure(&plugins.reports()[0]);
        assert!(line.contains("cut off") || line.contains("cut-off"), "{keep} bytes: {line}");
        assert!(line.ends_with("copy or build it again"), "{keep} bytes: {line}");
        assert!(line.contains(&keep.to_string()), "{keep} bytes: {line}");
        assert_eq!(plugins.reports()[1].state, PluginState::Loaded, "{keep} bytes");
    }
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn another_machine() {
    // Where an ELF file says what it is for: its class at 4, its byte order at 5, its type at 16, its machine at 18.
    let here = Workshop::new();
    check(
        &here.patched("arm.so", &[(18, 183), (19, 0)]),
        "is no library for this host: arm.so is built for aarch64, this host runs on x86_64; build it for this machine",
    );
    check(
        &here.patched("old.so", &[(4, 1)]),
        "is no library for this host: old.so is a 32-bit library, this host is 64-bit; build it for this machine",
    );
    check(
        &here.patched("big.so", &[(5, 2)]),
        "is no library for this host: big.so has the other byte order; build it for this machine",
    );
    check(
        &here.patched("program.so", &[(16, 2), (17, 0)]),
        "is no library for this host: program.so is an object file or a program, not a shared library; build the crate as a cdylib",
    );
}

#[test]
fn a_library_that_is_no_plugin() {
    let here = Workshop::new();
    check(
        &here.compiled("plain.so", "int answer(void) { return 42; }", &[]),
        "is a library but no plugin: plain.so exports no plugin; does its crate call export_plugin! and is it a cdylib?",
    );
}

#[test]
fn a_library_that_lacks_something() {
    let here = Workshop::new();
    here.compiled("libmissing.so", "int missing(void) { return 1; }", &[]);
    let source = "int missing(void); int answer(void) { return missing(); }";
    let needy = here.compiled("needy.so", source, &["-L.", "-lmissing"]);
    fs::remove_file(here.path("libmissing.so")).expect("removed");
    check(
        &needy,
        "cannot be linked: libmissing.so: cannot open shared object file: No such file or directory; \
         install what it needs, or build it on this system",
    );

    // Found at once, not at the first call.
    let undefined = here.compiled("undefined.so", source, &[]);
    check(
        &undefined,
        "cannot be linked: undefined.so: undefined symbol: missing; install what it needs, or build it on this system",
    );
}

#[test]
fn another_version_or_layout() {
    check(
        &library("fixture_major_two"),
        "was built with plugin-api 2.0.0, this host has 1.3.0: build it with plugin-api 1.x",
    );
    check(
        &library("fixture_other_layout"),
        "does not have the layout of plugin-api 1.3.0: root: the crate is plugin-api in the host and \
         fixture-other-layout in the plugin; build it with the published plugin-api",
    );
}

#[test]
fn another_checksum() {
    let actual: String = Sha256::digest(good()).iter().map(|byte| format!("{byte:02x}")).collect();
    let with = |sha256: &str| ManifestEntry { sha256: Some(sha256.to_owned()), ..fixture() };
    assert_eq!(load(vec![with(&actual)]).reports()[0].state, PluginState::Loaded);
    assert_eq!(load(vec![with(&actual.to_uppercase())]).reports()[0].state, PluginState::Loaded);

    let expected = "0".repeat(64);
    check_entry(
        ManifestEntry { id: "bad".into(), ..with(&expected) },
        &format!(
            "has another checksum than the manifest says: sha256 is {actual}, not {expected}; \
             if the new file is meant, put its checksum there"
        ),
    );
}

#[test]
fn a_file_that_changes_while_it_is_loaded_changes_nothing() {
    let here = Workshop::new();
    let file = here.write("live.so", &good());
    let plugins = load(vec![ManifestEntry::new("plugin-fixture", &file)]);
    fs::write(&file, b"overwritten in place").expect("the file is overwritten");
    let trigger = plugins.trigger("fixture").expect("the trigger type");
    let error = trigger.manual(&serde_json::json!({"collection": "posts"}), &serde_json::json!({}));
    assert!(error.is_err(), "the plugin still answers");
}
