//! The `host-demo` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    host_demo::cli::main()
}
