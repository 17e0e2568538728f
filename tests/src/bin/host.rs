//! The server under test: the same entry as the `host-demo` binary, built by cargo together with the tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    host_demo::cli::main()
}
