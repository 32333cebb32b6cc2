//! The `uplinkd` program: see `uplinkd --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    uplinkd::cli::main()
}
