//! `shaders/components.wgsl`, `adjacency.wgsl`, `columns.wgsl`, `claim.wgsl`, `reduce.wgsl`, `tally.wgsl`: which edge
//! kills which loop.
//!
//! The sorted edges are taken in blocks. Every so often, when enough columns have come together to kill every loop, the
//! new columns are expanded and reduced, and clouds whose loops are all dead drop out.

use super::Tuning;
use super::batch::{Batch, all};
use super::layout::{SHARED, State, UNEXPANDED};
use crate::error::Result;
use crate::gpu::{Gpu, Kernel, Recorder, Work, download, upload, zeroed};
use std::sync::Arc;

/// Words of scratch memory that a stage may take.
const SCRATCH_WORDS: u32 = 8 << 20;
/// Rounds of the reduction per submission.
const ROUNDS: u32 = 8;

/// Words of scratch memory that a stage needs for each cloud at the least, where the widest has rows of `words` bits' words.
pub(super) fn scratch_words(words: u32, tuning: Tuning) -> u64 {
    64 * u64::from((3 * words).max(tuning.list_places))
}

struct Kernels {
    components: Arc<Kernel>,
    adjacency: Arc<Kernel>,
    columns: Arc<Kernel>,
    claim: Arc<Kernel>,
    reduce: Arc<Kernel>,
    tally: Arc<Kernel>,
}

impl Kernels {
    fn new(gpu: &Gpu) -> Result<Self> {
        let build = |name, source| gpu.kernel(name, || Kernel::new(gpu, name, source, &SHARED, &[]));
        Ok(Self {
            components: build("components", include_str!("../../../shaders/components.wgsl"))?,
            adjacency: build("adjacency", include_str!("../../../shaders/adjacency.wgsl"))?,
            columns: build("columns", include_str!("../../../shaders/columns.wgsl"))?,
            claim: build("claim", include_str!("../../../shaders/claim.wgsl"))?,
            reduce: build("reduce", include_str!("../../../shaders/reduce.wgsl"))?,
            tally: build("tally", include_str!("../../../shaders/tally.wgsl"))?,
        })
    }
}

/// The second part of a batch: what it needs once the births are known.
pub(super) struct Columns {
    kernels: Kernels,
    adjacency: wgpu::Buffer,
    columns: wgpu::Buffer,
    bits: wgpu::Buffer,
    owners: wgpu::Buffer,
    bars: wgpu::Buffer,
    progress: wgpu::Buffer,
    scratch: wgpu::Buffer,
    lists: wgpu::Buffer,
    /// Edges of a cloud per block.
    block: u32,
    /// Columns of a cloud that are expanded at once.
    lists_each: u32,
    tuning: Tuning,
    /// Clouds whose memory ran out: their columns are worthless.
    pub failed: Vec<bool>,
}

impl Columns {
    /// Allocates for the births that `state` tells, and completes the records.
    pub fn new(batch: &mut Batch<'_>, state: &[State], tuning: Tuning) -> Result<Self> {
        let gpu = batch.gpu;
        let (mut columns, mut words, mut loops) = (0u64, 0u64, 0u64);
        let mut pivots = Vec::new();
        let mut failed = vec![false; state.len()];
        for (i, (record, state)) in batch.records.iter_mut().zip(state).enumerate() {
            let mut births = state.births;
            let mut capacity =
                if births == 0 { 0 } else { births.saturating_mul(tuning.columns_per_loop) + tuning.columns_spare };
            let words_of = |births: u32, capacity: u32| u64::from(births.div_ceil(32) + 1) * u64::from(capacity);
            if 4 * (words + words_of(births, capacity)) > gpu.max_binding().min(tuning.column_bytes) {
                // Too many loops for a matrix on the device beside the others': the host finishes this cloud.
                failed[i] = true;
                (births, capacity) = (0, 0);
            }
            let own = words_of(births, capacity);
            record.births = births;
            record.column_capacity = capacity;
            record.bit_words = births.div_ceil(32);
            record.done = u32::from(births == 0);
            record.columns = columns as u32;
            record.bits = words as u32;
            record.loops = loops as u32;
            // Behind the bits of a cloud's columns stand their pivots.
            pivots.push((words + own - u64::from(capacity), capacity));
            columns += u64::from(capacity);
            words += own;
            loops += u64::from(births);
        }
        let mut bits = vec![0u32; words as usize];
        for (at, count) in pivots {
            bits[at as usize..][..count as usize].fill(UNEXPANDED);
        }
        batch.write_records()?;
        let clouds = batch.len();
        let row = batch.most(|r| r.words).max(1);
        // The adjacency bits of a block's own edges are not there yet: a block must be a small part of the edges.
        let entered = state.iter().map(|s| s.entered).max().unwrap_or(0);
        let most = tuning.block.min(entered / 64).max(64);
        let block = (SCRATCH_WORDS / (3 * row * clouds)).clamp(64, most) / 64 * 64;
        let lists_each = (SCRATCH_WORDS / (tuning.list_places * clouds)).clamp(64, 4096) / 64 * 64;
        Ok(Self {
            kernels: Kernels::new(gpu)?,
            adjacency: zeroed(gpu, "adjacency bits", batch.adjacency_words())?,
            columns: zeroed(gpu, "columns", 2 * columns as usize)?,
            bits: upload(gpu, "column bits", &bits)?,
            owners: upload(gpu, "pivot owners", &vec![u32::MAX; loops as usize])?,
            bars: zeroed(gpu, "bars", 2 * loops as usize)?,
            progress: zeroed(gpu, "rounds", ROUNDS as usize)?,
            scratch: zeroed(gpu, "lune bits", (3 * row * block * clouds) as usize)?,
            lists: zeroed(gpu, "column lists", (tuning.list_places * lists_each * clouds) as usize)?,
            block,
            lists_each,
            tuning,
            failed,
        })
    }

    /// Goes through the edges until every loop of every cloud is dead, or the edges end.
    pub fn run(&mut self, batch: &mut Batch<'_>, recorder: &mut Recorder<'_>, state: &[State]) -> Result<()> {
        let entered = state.iter().map(|s| s.entered).max().unwrap_or(0);
        let mut next_look = self.block;
        let mut start = 0;
        while start < entered && batch.records.iter().any(|r| r.done == 0) {
            self.look_at_block(batch, recorder, start)?;
            start += self.block;
            if start >= next_look || start >= entered {
                next_look = start + start / 4;
                recorder.submit()?;
                let state = batch.read_state()?;
                // A cloud is worth reducing once it has as many columns as loops: each kills one at most.
                let alive = || batch.records.iter().zip(&state).filter(|(r, _)| r.done == 0);
                let ready = alive().filter(|(r, s)| s.columns >= r.births).count();
                if start >= entered || (ready > 0 && 4 * ready >= alive().count()) {
                    self.reduce(batch, recorder, state)?;
                }
            }
        }
        Ok(())
    }

    /// Finds the components of a block's links, then enters the block into the adjacency bits.
    fn look_at_block(&self, batch: &Batch<'_>, recorder: &mut Recorder<'_>, start: u32) -> Result<()> {
        let n = f64::from(batch.most(|r| r.n));
        let (clouds, edges, state) = (all(&batch.clouds), all(&batch.edges), all(&batch.state));
        let bindings = [
            clouds,
            edges,
            all(&batch.ranks),
            all(&self.adjacency),
            state,
            all(&batch.roles),
            all(&self.columns),
            all(&self.scratch),
        ];
        let work =
            Work { groups: self.block / 64, clouds: batch.len(), a: start, b: self.block, cost: 64.0 * 4.0 * n, most_groups: 0 };
        recorder.dispatch(&self.kernels.components, &bindings, work)?;
        recorder.dispatch(&self.kernels.adjacency, &[clouds, edges, state, all(&self.adjacency)], Work { cost: 512.0, ..work })
    }

    /// Expands the new columns, reduces in rounds until nothing changes, and marks the clouds that are through.
    fn reduce(&mut self, batch: &mut Batch<'_>, recorder: &mut Recorder<'_>, mut state: Vec<State>) -> Result<()> {
        for (record, s) in batch.records.iter().zip(&mut state) {
            if record.done == 0 {
                s.deaths = 0;
            }
        }
        batch.gpu.scoped("cloud states", || {
            batch.gpu.queue().write_buffer(&batch.state, 0, bytemuck::cast_slice(&state));
        })?;
        let most =
            batch.records.iter().zip(&state).filter(|(r, _)| r.done == 0).map(|(r, s)| s.columns.min(r.column_capacity)).max();
        let groups = most.unwrap_or(0).div_ceil(64);
        let (clouds, cloud_state, columns, bits, owners) =
            (all(&batch.clouds), all(&batch.state), all(&self.columns), all(&self.bits), all(&self.owners));
        let work = Work { groups, clouds: batch.len(), a: 0, b: 0, cost: 256.0, most_groups: 0 };
        let expand = Work {
            a: self.tuning.list_places,
            b: self.lists_each,
            cost: 64.0 * 256.0,
            most_groups: self.lists_each / 64,
            ..work
        };
        let bindings =
            [clouds, all(&batch.edges), all(&batch.ranks), all(&batch.roles), cloud_state, columns, bits, all(&self.lists)];
        recorder.dispatch(&self.kernels.columns, &bindings, expand)?;
        let row_cost = 64.0 * f64::from(3 * batch.most(|r| r.bit_words) + 8);
        loop {
            recorder.submit()?;
            batch.gpu.scoped("rounds", || {
                batch.gpu.queue().write_buffer(&self.progress, 0, &[0; 4 * ROUNDS as usize]);
            })?;
            for round in 0..ROUNDS {
                recorder.dispatch(&self.kernels.claim, &[clouds, cloud_state, columns, bits, owners], work)?;
                let bindings = [clouds, cloud_state, owners, bits, all(&self.progress)];
                recorder.dispatch(&self.kernels.reduce, &bindings, Work { a: round, cost: row_cost, ..work })?;
            }
            recorder.submit()?;
            let changed: Vec<u32> = download(batch.gpu, &self.progress, 0, ROUNDS as usize)?;
            if changed.last() == Some(&0) {
                break;
            }
        }
        self.tally(batch, recorder)?;
        recorder.submit()?;
        let state = batch.read_state()?;
        for (i, (record, s)) in batch.records.iter_mut().zip(&state).enumerate() {
            self.failed[i] |= s.failure != 0;
            if s.failure != 0 || s.deaths == record.births {
                record.done = 1;
            }
        }
        batch.write_records()
    }

    fn tally(&self, batch: &Batch<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
        let groups = batch.most(|r| r.births).div_ceil(64);
        let bindings = [
            all(&batch.clouds),
            all(&batch.keys),
            all(&batch.spare_edges),
            all(&self.columns),
            all(&self.owners),
            all(&batch.state),
            all(&self.bars),
        ];
        let work = Work { groups, clouds: batch.len(), a: 0, b: 0, cost: 512.0, most_groups: 0 };
        recorder.dispatch(&self.kernels.tally, &bindings, work)
    }

    /// Birth and death keys of all loops of all clouds.
    pub fn bars(&self, batch: &Batch<'_>) -> Result<Vec<[u32; 2]>> {
        let loops: u32 = batch.records.iter().map(|r| r.births).sum();
        download(batch.gpu, &self.bars, 0, 2 * loops as usize)
    }
}
