//! The widest vector instructions that this processor has, for loops that the compiler vectorises.

/// Runs `work` compiled for AVX2 where the processor has it, else as it is.
///
/// What `work` calls must be inlined into it (`#[inline(always)]`), or it stays compiled for the
/// baseline. The instructions change no result: neither Rust nor LLVM fuses a multiplication and an
/// addition unasked.
#[inline]
pub(crate) fn wide<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if let Some(v3) = pulp::x86::V3::try_new() {
        return pulp::Simd::vectorize(v3, work);
    }
    work()
}
