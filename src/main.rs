//! Arguments to the roof; no logic.

use std::process::ExitCode;

fn main() -> ExitCode {
    reveille::boot::commands::run(reveille::cli::args::Args::of_process())
}
