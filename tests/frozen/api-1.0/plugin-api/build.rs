//! Records which compiler builds the API, so that a library can tell its host (`PLUGIN_API_RUSTC`).

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC");
    let version = env::var_os("RUSTC")
        .and_then(|rustc| Command::new(rustc).arg("--version").output().ok())
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok());
    println!("cargo::rustc-env=PLUGIN_API_RUSTC={}", version.as_deref().map_or("unknown", str::trim));
}
