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

/// Work that is too much for the compiler to inline unasked, for [`wide_work`].
pub(crate) trait Work {
    /// What it results in.
    type Output;

    /// Does it. Implementations are `#[inline(always)]`.
    fn run(self) -> Self::Output;
}

/// [`wide`] for work that has a type of its own: a closure of many instructions would be compiled
/// apart, for the baseline.
#[inline]
pub(crate) fn wide_work<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if let Some(v4) = pulp::x86::V4::try_new() {
        return pulp::Simd::vectorize(v4, Adapter(work));
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(v3) = pulp::x86::V3::try_new() {
        return pulp::Simd::vectorize(v3, Adapter(work));
    }
    work.run()
}

/// Work in the form in which `pulp` takes it.
#[cfg(target_arch = "x86_64")]
struct Adapter<W>(W);

#[cfg(target_arch = "x86_64")]
impl<W: Work> pulp::NullaryFnOnce for Adapter<W> {
    type Output = W::Output;

    #[inline(always)]
    fn call(self) -> W::Output {
        self.0.run()
    }
}
