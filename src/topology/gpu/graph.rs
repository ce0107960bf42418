//! `shaders/nearest.wgsl`, `candidates.wgsl`, `graph.wgsl`, `sort.wgsl`, `forest.wgsl`,
//! `sample.wgsl`: from the table to the relative neighbourhood graph, and what its edges do.

use super::batch::Batch;
use super::layout::{CloudRecord, State};
use crate::error::Result;
use crate::gpu::{Recorder, Work, all};

/// Finds limits, graph, merges and births of all clouds.
pub(super) async fn record(batch: &Batch<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
    let n = f64::from(batch.most(|r| r.n));
    let (clouds, table, state, near) = (all(&batch.clouds), batch.table.all(), all(&batch.state), all(&batch.near));
    let graph = all(&batch.graph);
    let work = Work {
        first: 0,
        groups: batch.most(|r| r.n.div_ceil(64)),
        clouds: batch.len(),
        a: 0,
        b: 0,
        cost: 64.0 * n,
        most_groups: 0,
    };

    let nearest = batch.kernel("nearest", include_str!("../../../shaders/nearest.wgsl"))?;
    recorder.dispatch(&nearest, &[clouds, table, state, near], work).await?;

    let candidates = batch.kernel("candidates", include_str!("../../../shaders/candidates.wgsl"))?;
    let lunes = batch.kernel("graph", include_str!("../../../shaders/graph.wgsl"))?;
    let todo = all(&batch.todo);
    let groups = batch.most(|r| r.blocks().div_ceil(64));
    let turn = turn_of(batch);
    for first in (0..groups).step_by(turn as usize) {
        if first > 0 {
            // The next candidates take the places of these.
            recorder.submit()?;
            let mut state = batch.read_state().await?;
            state.iter_mut().for_each(|s| s.todo = 0);
            batch.write_state(&state)?;
        }
        let blocks = Work { first, groups: turn.min(groups - first), cost: 64.0 * 64.0, ..work };
        recorder.dispatch(&candidates, &[clouds, table, near, state, todo], blocks).await?;
        // How many there are is not known here: most often few of the pairs. A thread for 32 pairs
        // has few of them, so that a software driver does not end its loops.
        let listed = |r: &CloudRecord| (PAIRS_OF_GROUP.saturating_mul(blocks.groups)).min(r.pairs);
        let groups = batch.most(|r| (4 * r.n).max(listed(r) / 32).div_ceil(64));
        let scan = Work { groups, a: 64 * groups, cost: 64.0 * n, ..work };
        recorder.dispatch(&lunes, &[clouds, table, todo, state, graph], scan).await?;
    }

    // More threads for large clouds: the more edges a thread has, the nearer is the end of what the
    // software driver lets it do. A software driver runs a workgroup on one core, and at a barrier
    // every part of it in turn: there the fewest threads are the fastest.
    let few = if batch.gpu.record().software { 8.0 } else { 64.0 };
    let (name, threads) =
        if batch.most(|r| r.n) <= 256 { ("sort of small graphs", few) } else { ("sort of large graphs", 256.0) };
    let sort = batch.kernel_with(name, include_str!("../../../shaders/sort.wgsl"), &[("THREADS", threads)])?;
    let one = Work { groups: 1, cost: n * 4.0 * 64.0, ..work };
    recorder.dispatch(&sort, &[clouds, graph, state, all(&batch.forest)], one).await?;
    grow_forests(batch, recorder, (8.0 * n) as u32).await?;

    let sample = batch.kernel_with("sample", include_str!("../../../shaders/sample.wgsl"), &[("THREADS", few)])?;
    recorder
        .dispatch(
            &sample,
            &[clouds, table, state, all(&batch.sample)],
            Work { a: batch.sampled, cost: 64.0 * f64::from(batch.sampled), ..one },
        )
        .await
}

/// Pairs of a workgroup of `shaders/candidates.wgsl`: 64 blocks of 4 x 4.
const PAIRS_OF_GROUP: u32 = 1024;

/// Workgroups of `shaders/candidates.wgsl` that list no more edges than there is room for.
fn turn_of(batch: &Batch<'_>) -> u32 {
    let short = batch.records.iter().filter(|r| r.todo_capacity < r.pairs);
    short.map(|r| (r.todo_capacity / PAIRS_OF_GROUP).max(1)).min().unwrap_or(u32::MAX)
}

/// Edges of a cloud that one dispatch of `shaders/forest.wgsl` takes.
const FOREST_EDGES: u32 = 1500;

/// Goes through the next edges of every cloud's graph, at least `edges` of them.
async fn grow_forests(batch: &Batch<'_>, recorder: &mut Recorder<'_>, edges: u32) -> Result<()> {
    let forest = batch.kernel("forest", include_str!("../../../shaders/forest.wgsl"))?;
    let bindings =
        [all(&batch.clouds), all(&batch.graph), all(&batch.state), all(&batch.forest), batch.roles.all(), all(&batch.births)];
    let work = Work {
        first: 0,
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
