//! `shaders/sort_*.wgsl`: a stable radix sort of every cloud's pairs by key, four bits at a time.

use super::batch::{Batch, all};
use super::layout::{SHARED, SORT_BLOCK};
use crate::error::Result;
use crate::gpu::{Kernel, Recorder, Work};

/// Sorts `keys` and `edges` of all clouds; uses the spare arrays, and ends where it began.
pub(super) fn record(batch: &Batch<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
    let gpu = batch.gpu;
    let build = |name, source| gpu.kernel(name, || Kernel::new(gpu, name, source, &SHARED, &[]));
    let count = build("sort_count", include_str!("../../../shaders/sort_count.wgsl"))?;
    let scan = build("sort_scan", include_str!("../../../shaders/sort_scan.wgsl"))?;
    let scatter = build("sort_scatter", include_str!("../../../shaders/sort_scatter.wgsl"))?;
    let blocks = batch.most(|r| r.pairs).div_ceil(SORT_BLOCK);
    if blocks == 0 {
        return Ok(());
    }
    let mut from = (&batch.keys, &batch.edges);
    let mut to = (&batch.spare_keys, &batch.spare_edges);
    for shift in (0..32).step_by(4) {
        let work = Work { groups: blocks, clouds: batch.len(), a: shift, b: 0, cost: 4096.0, most_groups: 0 };
        recorder.dispatch(&count, &[all(&batch.clouds), all(from.0), all(&batch.histogram)], work)?;
        let of_cloud = Work { groups: 1, cost: 64.0 * f64::from(blocks), ..work };
        recorder.dispatch(&scan, &[all(&batch.clouds), all(&batch.histogram)], of_cloud)?;
        let bindings = [all(&batch.clouds), all(from.0), all(from.1), all(&batch.histogram), all(to.0), all(to.1)];
        recorder.dispatch(&scatter, &bindings, Work { cost: 8192.0, ..work })?;
        std::mem::swap(&mut from, &mut to);
    }
    Ok(())
}
