//! `shaders/radius.wgsl` and `shaders/edges.wgsl`: from the table of keys to a list of pairs within the limit.

use super::batch::{Batch, all};
use super::layout::SHARED;
use crate::error::Result;
use crate::gpu::{Kernel, Recorder, Work};

/// Lowers the limits to the enclosing radii, then lists the pairs.
pub(super) fn record(batch: &Batch<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
    let gpu = batch.gpu;
    let radius =
        gpu.kernel("radius", || Kernel::new(gpu, "radius", include_str!("../../../shaders/radius.wgsl"), &SHARED, &[]))?;
    let edges = gpu.kernel("edges", || Kernel::new(gpu, "edges", include_str!("../../../shaders/edges.wgsl"), &SHARED, &[]))?;
    let n = batch.most(|r| r.n);
    let work = Work { groups: n.div_ceil(64), clouds: batch.len(), a: 0, b: 0, cost: 64.0 * f64::from(n), most_groups: 0 };
    recorder.dispatch(&radius, &[all(&batch.clouds), all(&batch.ranks), all(&batch.state)], work)?;
    let work = Work { groups: (n * n).div_ceil(64), cost: 128.0, ..work };
    let bindings = [all(&batch.clouds), all(&batch.ranks), all(&batch.state), all(&batch.keys), all(&batch.edges)];
    recorder.dispatch(&edges, &bindings, work)
}
