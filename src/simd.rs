//! The widest vector instructions that this processor has, for loops that the compiler vectorises.

/// Runs `work` compiled for AVX2 where the processor has it, else as it is.
///
/// What `work` consists of must be inlined: `wide(#[inline(always)] || ...)`, and the same for the
/// functions that it calls. Otherwise it stays compiled for the baseline. The instructions change
/// no result: neither Rust nor LLVM fuses a multiplication and an addition unasked.
#[inline]
pub(crate) fn wide<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if let Some(v3) = pulp::x86::V3::try_new() {
        return pulp::Simd::vectorize(v3, work);
    }
    work()
}

/// [`wide`], by AVX-512 where the processor has it.
#[inline]
pub(crate) fn widest<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if let Some(v4) = pulp::x86::V4::try_new() {
        return pulp::Simd::vectorize(v4, work);
    }
    wide(work)
}
