//! Arguments to the roof; no logic.

fn main() -> std::process::ExitCode {
    reveille::boot::commands::main()
}
