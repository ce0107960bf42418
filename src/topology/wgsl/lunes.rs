//! `shaders/ranks.wgsl`, `shaders/lunes.wgsl` and `shaders/forest.wgsl`: ranks, empty lunes, merges and births.

use super::batch::{Batch, all};
use super::layout::SHARED;
use crate::error::Result;
use crate::gpu::{Kernel, Recorder, Work};

/// Ranks the sorted edges, finds those with an empty lune, and tells merges from births.
pub(super) fn record(batch: &Batch<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
    let gpu = batch.gpu;
    let build = |name, source| gpu.kernel(name, || Kernel::new(gpu, name, source, &SHARED, &[]));
    let ranks = build("ranks", include_str!("../../../shaders/ranks.wgsl"))?;
    let lunes = build("lunes", include_str!("../../../shaders/lunes.wgsl"))?;
    let forest = build("forest", include_str!("../../../shaders/forest.wgsl"))?;
    let pairs = batch.most(|r| r.pairs);
    let work = Work { groups: pairs.div_ceil(64), clouds: batch.len(), a: 0, b: 0, cost: 512.0, most_groups: 0 };
    let (clouds, edges, table, state) = (all(&batch.clouds), all(&batch.edges), all(&batch.ranks), all(&batch.state));
    recorder.dispatch(&ranks, &[clouds, all(&batch.keys), edges, state, table], work)?;
    let bindings = [clouds, edges, table, state, all(&batch.roles), all(&batch.empties)];
    recorder.dispatch(&lunes, &bindings, Work { cost: 64.0 * 64.0, ..work })?;
    let bindings = [
        clouds,
        all(&batch.keys),
        edges,
        all(&batch.empties),
        state,
        all(&batch.forest),
        all(&batch.roles),
        all(&batch.spare_edges),
    ];
    let steps = 64.0 * f64::from(batch.most(|r| r.n)) + f64::from(pairs) / 32.0;
    recorder.dispatch(&forest, &bindings, Work { groups: 1, cost: steps, ..work })
}
