//! A server that is started here belongs to a guard, a shell that waits for the end of its input, which is this process: so the
//! server is stopped and its folder removed even if this process is killed.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::{
        fs::{OpenOptionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
};

/// The unprivileged user of most systems: database servers refuse to run as root.
const NOBODY: u32 = 65_534;

/// A server's guard, and the server's folder, which is the guard's.
pub(super) struct Guard {
    pub(super) folder: PathBuf,
    /// Held open as long as this process lives.
    _input: Option<ChildStdin>,
}

/// Runs a script in a new folder with some files, which is its first argument; the programs' folder is the second. The server is there when it
/// says `ready`.
pub(super) fn post(name: &str, script: &str, programs: &Path, files: &[(&str, String)]) -> Result<Guard, String> {
    let folder = tempfile::Builder::new().prefix(name).tempdir().map_err(|error| error.to_string())?;
    for (file, text) in files {
        put(&folder.path().join(file), text).map_err(|error| format!("{file}: {error}"))?;
    }
    let mut guard = Command::new("sh");
    guard.args(["-c", script, "guard"]).arg(folder.path()).arg(programs);
    if is_root() {
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).map_err(|error| error.to_string())?;
        guard.uid(NOBODY).gid(NOBODY);
    }
    // Ctrl-C is for the tests: the guard hears of it when they end.
    guard.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = guard.spawn().map_err(|error| format!("the server cannot be started: {error}"))?;
    // From here on the folder is the guard's.
    let folder = folder.keep();
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let mut line = String::new();
    if let Some(output) = output {
        BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
    }
    if line.trim() != "ready" {
        return Err(format!("the server did not start; see {}", folder.display()));
    }
    Ok(Guard { folder, _input: input })
}

/// Writes a file that is the server's alone.
fn put(path: &Path, text: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())?;
    if is_root() { chown(path, Some(NOBODY), Some(NOBODY)) } else { Ok(()) }
}

/// The first folder that holds all the programs: of those in the path, and then of these.
pub(super) fn programs(names: &[&str], installed: Vec<PathBuf>) -> Option<PathBuf> {
    let in_path =
        std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    in_path.chain(installed).find(|folder| names.iter().all(|program| folder.join(program).is_file()))
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
