//! `shaders/nearest.wgsl`, `graph.wgsl`, `forest.wgsl`, `sample.wgsl`: from the table to the relative neighbourhood graph, and what its
//! edges do.

use super::batch::{Batch, all};
use crate::error::Result;
use crate::gpu::{Recorder, Work};

/// Finds limits, graph, merges and births of all clouds.
pub(super) fn record(batch: &Batch<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
    let n = f64::from(batch.most(|r| r.n));
    let (clouds, table, state, near) = (all(&batch.clouds), all(&batch.table), all(&batch.state), all(&batch.near));
    let (roles, graph) = (all(&batch.roles), all(&batch.graph));
    let work = Work { groups: batch.most(|r| r.n.div_ceil(64)), clouds: batch.len(), a: 0, b: 0, cost: 64.0 * n, most_groups: 0 };

    let nearest = batch.kernel("nearest", include_str!("../../../shaders/nearest.wgsl"))?;
    recorder.dispatch(&nearest, &[clouds, table, state, near], work)?;

    let pairs = Work { groups: batch.most(|r| r.pairs.div_ceil(64)), cost: 64.0 * 24.0, ..work };
    let lunes = batch.kernel("graph", include_str!("../../../shaders/graph.wgsl"))?;
    recorder.dispatch(&lunes, &[clouds, table, near, state, roles, graph, table], pairs)?;

    let forest = batch.kernel("forest", include_str!("../../../shaders/forest.wgsl"))?;
    let one = Work { groups: 1, cost: n * 4.0 * 64.0, ..work };
    recorder.dispatch(&forest, &[clouds, graph, state, all(&batch.forest), roles, all(&batch.births)], one)?;

    let sample = batch.kernel("sample", include_str!("../../../shaders/sample.wgsl"))?;
    recorder.dispatch(&sample, &[clouds, table, state, all(&batch.sample)], Work { cost: 64.0 * 512.0, ..one })
}
