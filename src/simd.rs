//! The widest vector instructions that this processor has, for loops that the compiler vectorises.

/// Computes an expression compiled for AVX2 where the processor has it, else as it is.
///
/// The functions that it calls must be inlined (`#[inline(always)]`), or they stay compiled for the
/// baseline. So would the expression itself, were it a closure that the compiler may inline or not:
/// hence a macro. The instructions change no result: neither Rust nor LLVM fuses a multiplication
/// and an addition unasked.
macro_rules! wide {
    ($work:expr) => {
        $crate::simd::by_avx2(
            #[inline(always)]
            || $work,
        )
    };
}

/// [`wide`], by AVX-512 where the processor has it.
macro_rules! widest {
    ($work:expr) => {
        $crate::simd::by_avx512(
            #[inline(always)]
            || $work,
        )
    };
}

pub(crate) use {wide, widest};

/// What [`wide`] does.
#[inline]
pub(crate) fn by_avx2<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if let Some(v3) = pulp::x86::V3::try_new() {
        return pulp::Simd::vectorize(v3, work);
    }
    work()
}

/// What [`widest`] does.
#[inline]
pub(crate) fn by_avx512<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if let Some(v4) = pulp::x86::V4::try_new() {
        return pulp::Simd::vectorize(v4, work);
    }
    by_avx2(work)
}
