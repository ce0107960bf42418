//! `shaders/nearest.wgsl`, `candidates.wgsl`, `graph.wgsl`, `sort.wgsl`, `forest.wgsl`,
//! `sample.wgsl`: from the table to the relative neighbourhood graph, and what its edges do.

use super::batch::{Batch, all};
use super::layout::{CloudRecord, SHARED, State};
use crate::error::Result;
use crate::gpu::{Kernel, Recorder, Work};

/// Finds limits, graph, merges and births of all clouds.
pub(super) async fn record(batch: &Batch<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
    let n = f64::from(batch.most(|r| r.n));
    let (clouds, table, state, near) = (all(&batch.clouds), all(&batch.table), all(&batch.state), all(&batch.near));
    let graph = all(&batch.graph);
    let work = Work { groups: batch.most(|r| r.n.div_ceil(64)), clouds: batch.len(), a: 0, b: 0, cost: 64.0 * n, most_groups: 0 };

    let nearest = batch.kernel("nearest", include_str!("../../../shaders/nearest.wgsl"))?;
    recorder.dispatch(&nearest, &[clouds, table, state, near], work).await?;

    let blocks = Work { groups: batch.most(|r| r.blocks().div_ceil(64)), cost: 64.0 * 64.0, ..work };
    let candidates = batch.kernel("candidates", include_str!("../../../shaders/candidates.wgsl"))?;
    let todo = all(&batch.todo);
    recorder.dispatch(&candidates, &[clouds, table, near, state, todo], blocks).await?;

    // How many there are is not known here: most often few per point.
    let groups = batch.most(|r| (4 * r.n).div_ceil(64));
    let scan = Work { groups, a: 64 * groups, cost: 64.0 * n, ..work };
    let lunes = batch.kernel("graph", include_str!("../../../shaders/graph.wgsl"))?;
    recorder.dispatch(&lunes, &[clouds, table, table, todo, state, graph], scan).await?;

    // More threads for large clouds: the more edges a thread has, the nearer is the end of what the
    // software driver lets it do. A software driver runs a workgroup on one core, and at a barrier
    // every part of it in turn: there the fewest threads are the fastest.
    let few = if batch.gpu.record().software { 8.0 } else { 64.0 };
    let (name, threads) =
        if batch.most(|r| r.n) <= 256 { ("sort of small graphs", few) } else { ("sort of large graphs", 256.0) };
    let sort = batch.gpu.kernel(name, || {
        Kernel::new(batch.gpu, name, include_str!("../../../shaders/sort.wgsl"), &SHARED, &[("THREADS", threads)])
    })?;
    let one = Work { groups: 1, cost: n * 4.0 * 64.0, ..work };
    recorder.dispatch(&sort, &[clouds, graph, state, all(&batch.forest)], one).await?;
    grow_forests(batch, recorder, (8.0 * n) as u32).await?;

    let sample = batch.gpu.kernel("sample", || {
        Kernel::new(batch.gpu, "sample", include_str!("../../../shaders/sample.wgsl"), &SHARED, &[("THREADS", few)])
    })?;
    recorder
        .dispatch(
            &sample,
            &[clouds, table, state, all(&batch.sample)],
            Work { a: batch.sampled, cost: 64.0 * f64::from(batch.sampled), ..one },
        )
        .await
}

/// Edges of a cloud that one dispatch of `shaders/forest.wgsl` takes.
const FOREST_EDGES: u32 = 1500;

/// Goes through the next edges of every cloud's graph, at least `edges` of them.
async fn grow_forests(batch: &Batch<'_>, recorder: &mut Recorder<'_>, edges: u32) -> Result<()> {
    let forest = batch.kernel("forest", include_str!("../../../shaders/forest.wgsl"))?;
    let bindings = [&batch.clouds, &batch.graph, &batch.state, &batch.forest, &batch.roles, &batch.births].map(all);
    let work = Work {
        groups: 1,
        clouds: batch.len().div_ceil(8),
        a: batch.len(),
        b: 0,
        cost: 8.0 * 16.0 * f64::from(edges.min(FOREST_EDGES)),
        most_groups: 0,
    };
    for _ in 0..edges.div_ceil(FOREST_EDGES) {
        recorder.dispatch(&forest, &bindings, work).await?;
    }
    Ok(())
}

/// Waits for the graphs and their forests, and returns what is known of every cloud then.
pub(super) async fn finish(batch: &Batch<'_>, recorder: &mut Recorder<'_>) -> Result<Vec<State>> {
    loop {
        recorder.submit()?;
        let state = batch.read_state().await?;
        let left = |(s, r): (&State, &CloudRecord)| s.graph.min(r.graph_capacity) - s.merges - s.births;
        match state.iter().zip(&batch.records).map(left).max() {
            None | Some(0) => return Ok(state),
            Some(most) => grow_forests(batch, recorder, most).await?,
        }
    }
}
