//! The `lacuna` program.

mod cli;

use std::process::ExitCode;

#[allow(unsafe_code, reason = "see below")]
fn main() -> ExitCode {
    // SAFETY: the first thing that the program does; there is one thread.
    #[cfg(feature = "nn")]
    unsafe {
        lacuna::nn::pin_default_device();
    }
    cli::main()
}
