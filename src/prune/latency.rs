//! The largest network that is fast enough.

use super::budget::{Budget, Shares};
use super::plan::Plan;
use super::rule::Rule;
use super::scoring::LayerScores;
use super::surgery::{Keep, cut_arch};
use crate::error::{Error, Result};
use crate::nn::{Arch, Group, Net, bridge};
use crate::progress::Watch;
use burn::tensor::{Device, Tensor};
use std::time::Instant;

/// Samples in the batch whose time is taken.
pub const LATENCY_BATCH: usize = 64;
/// Times it is taken; the least counts, for other work on the machine only ever adds.
const RUNS: usize = 11;
/// Halvings of the interval in which the share of the multiplications is looked for: to less than a
/// hundredth.
const HALVINGS: u64 = 7;

/// Milliseconds that a network takes for a batch of [`LATENCY_BATCH`] samples on a device: the
/// least of 11 runs.
///
/// # Errors
/// [`Error::Device`] when the device fails.
pub fn latency_ms(net: &Net, device: &Device) -> Result<f64> {
    let width: usize = net.arch.input.iter().product();
    let x = Tensor::<2>::ones([LATENCY_BATCH, width], device);
    let mut least = f64::INFINITY;
    // The first run compiles kernels and warms caches; it is not counted.
    for run in 0..=RUNS {
        let start = Instant::now();
        // Reading the sum waits for the pass.
        bridge::read(net.forward(x.clone()).sum())?;
        if run > 0 {
            least = least.min(1e3 * start.elapsed().as_secs_f64());
        }
    }
    Ok(least)
}

/// The plan with the share of each group that brings a network to `ms` milliseconds a batch, by
/// networks of chance weights whose time is taken: times are not in proportion to multiplications.
///
/// # Errors
/// [`Error::Input`] when no share does; [`Error::Interrupted`]; [`Error::Device`] when the device
/// fails.
pub(super) fn within(
    plan: &Plan,
    (ms, shares): (f64, Shares),
    arch: &Arch,
    groups: &[Group],
    effects: Option<&[LayerScores]>,
    device: &Device,
    watch: &mut dyn Watch,
) -> Result<Plan> {
    let time = |arch: &Arch| latency_ms(&Net::new(arch, 0, device)?, device);
    let whole = time(arch)?;
    if whole <= ms {
        return Ok(plan.keeping(arch, groups, &groups.iter().map(|g| g.filters).collect::<Vec<_>>()));
    }
    let (mut low, mut high, mut best, mut fastest) = (0.0, 1.0, None, whole);
    for halving in 0..HALVINGS {
        if watch.stopped() {
            return Err(Error::Interrupted("stopped while measuring latencies".into()));
        }
        let share = f64::midpoint(low, high);
        let rule = Rule::Target { budget: Budget::Macs, share, shares };
        // A share that cannot be reached is too small.
        match (Plan { rule, ..plan.clone() }).within_budget(arch, groups, effects) {
            Ok(smaller) => {
                let keep: Keep =
                    groups.iter().zip(smaller.sizes(arch, groups)).map(|(g, n)| (g.leader(), (0..n).collect())).collect();
                let took = time(&cut_arch(arch, &keep)?)?;
                fastest = fastest.min(took);
                if took <= ms {
                    (low, best) = (share, Some(smaller));
                } else {
                    high = share;
                }
            }
            Err(e) if matches!(e.root(), Error::Input(_)) => low = share,
            Err(other) => return Err(other),
        }
        watch.at("latencies measured", halving + 1, HALVINGS);
    }
    best.ok_or_else(|| {
        Error::input(format!(
            "the target of {ms} ms a batch of {LATENCY_BATCH} cannot be reached: this network takes {whole:.1} ms here, and \
             {fastest:.1} ms when all has gone that may go"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Activation;
    use crate::progress::Unwatched;
    use crate::prune::Criterion;

    /// Half of the whole network's time is reached by removing filters, and more time than it takes
    /// by removing none.
    #[test]
    fn times_are_kept() {
        let device = Device::flex();
        let arch = Arch::cnn([3, 32, 32], &[64, 64], 16, 10, Activation::parse("relu").unwrap()).unwrap();
        let groups = arch.groups().unwrap();
        let whole = latency_ms(&Net::new(&arch, 0, &device).unwrap(), &device).unwrap();
        let plan = Plan::ratio(Criterion::L1, 0.5);
        let of = |ms: f64| within(&plan, (ms, Shares::Same), &arch, &groups, None, &device, &mut Unwatched);
        assert_eq!(of(1e3 * whole).unwrap().sizes(&arch, &groups), [64, 64]);
        let sizes = of(0.5 * whole).unwrap().sizes(&arch, &groups);
        assert!(sizes.iter().all(|n| (1..64).contains(n)), "{sizes:?}");
        let refused = of(1e-6).unwrap_err();
        assert!(refused.exit_code() == 2 && refused.to_string().contains("cannot be reached"), "{refused}");
    }
}
