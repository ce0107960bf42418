//! The `lacuna` program.

mod cli;

use std::process::ExitCode;

#[allow(unsafe_code, reason = "the environment can be set safely here, while there is one thread, and nowhere else")]
fn main() -> ExitCode {
    // SAFETY: the first thing that the program does; there is one thread.
    unsafe {
        #[cfg(feature = "nn")]
        lacuna::nn::pin_default_device();
        // On a machine without a desktop Mesa complains on stderr, once per opened driver, that
        // this is not set.
        if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
            std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir());
        }
    }
    cli::main()
}
