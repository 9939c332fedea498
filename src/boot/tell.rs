//! What commands print. Whoever reads it may leave early, as `head` does: then the command has done its work, and ends well.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};

use crate::cli::Exit;

/// A line on the standard output.
pub(super) fn line(text: Arguments<'_>) {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(Exit::Done.code().into()),
        Err(error) => {
            eprintln!("error: cannot write the output: {error}");
            std::process::exit(Exit::Failed.code().into());
        }
    }
}

/// `println!`, for an output that may be gone.
macro_rules! tell {
    ($($words:tt)*) => { $crate::boot::tell::line(format_args!($($words)*)) };
}
pub(super) use tell;
