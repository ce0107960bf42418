//! `shaders/levels.wgsl`, `links.wgsl`, `components.wgsl`, `columns.wgsl`, `claim.wgsl`, `reduce.wgsl`, `tally.wgsl`: which edge
//! kills which loop.
//!
//! The edges are taken in blocks by length, in no order within a block. The first block ends with the last birth. After each the new
//! columns are expanded and reduced, and clouds whose loops are all dead drop out.

use super::Tuning;
use super::batch::{Batch, all};
use super::layout::{CloudRecord, LEVELS, SHARED, State, UNEXPANDED};
use crate::error::Result;
use crate::gpu::{Gpu, Kernel, Recorder, Work, download, upload, zeroed};
use std::sync::Arc;

/// Words of scratch memory that a stage may take.
const SCRATCH_WORDS: u32 = 8 << 20;
/// Rounds of the reduction per submission.
const ROUNDS: u32 = 8;

/// Words of scratch memory that a stage needs for each cloud at the least, where the widest has rows of `words` bits' words.
pub(super) fn scratch_words(words: u32, tuning: Tuning) -> u64 {
    64 * u64::from((2 * words).max(2 * tuning.list_places))
}

struct Kernels {
    levels: Arc<Kernel>,
    links: Arc<Kernel>,
    components: Arc<Kernel>,
    columns: Arc<Kernel>,
    claim: Arc<Kernel>,
    reduce: Arc<Kernel>,
    tally: Arc<Kernel>,
}

impl Kernels {
    fn new(gpu: &Gpu) -> Result<Self> {
        let build = |name, source| gpu.kernel(name, || Kernel::new(gpu, name, source, &SHARED, &[]));
        Ok(Self {
            levels: build("levels", include_str!("../../../shaders/levels.wgsl"))?,
            links: build("links", include_str!("../../../shaders/links.wgsl"))?,
            components: build("components", include_str!("../../../shaders/components.wgsl"))?,
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
    /// The thresholds of all clouds, then the bits of their levels.
    levels: wgpu::Buffer,
    /// How many levels.
    level_count: u32,
    columns: wgpu::Buffer,
    bits: wgpu::Buffer,
    owners: wgpu::Buffer,
    bars: wgpu::Buffer,
    progress: wgpu::Buffer,
    scratch: wgpu::Buffer,
    lists: wgpu::Buffer,
    /// Links of a cloud that are flooded at once.
    floods_each: u32,
    /// How much longer the next block's edges may be, of each cloud.
    growth: Vec<f32>,
    /// Columns of a cloud that are expanded at once.
    lists_each: u32,
    tuning: Tuning,
    /// Clouds whose memory ran out: their columns are worthless.
    pub failed: Vec<bool>,
}

impl Columns {
    /// Allocates for the births that `state` tells, and completes the records.
    /// `shortest` is the key of a shortest edge of each cloud.
    pub fn new(batch: &mut Batch<'_>, state: &[State], shortest: &[u32], tuning: Tuning) -> Result<Self> {
        let gpu = batch.gpu;
        let (mut columns, mut words, mut loops) = (0u64, 0u64, 0u64);
        let mut pivots = Vec::new();
        // A graph that outgrew its memory is not known.
        let mut failed: Vec<bool> = state.iter().map(|s| s.failure != 0).collect();
        for (i, (record, state)) in batch.records.iter_mut().zip(state).enumerate() {
            let mut births = if failed[i] { 0 } else { state.births };
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
            (record.low, record.high) = (shortest[i].min(state.last_birth), state.last_birth);
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
        let clouds = batch.len();
        // As many levels as fit, each a row of bits for every point.
        let per_level: u64 = batch.records.iter().map(|r| u64::from(r.n * r.words)).sum();
        let room = (gpu.max_binding().min(tuning.level_bytes) / 4).saturating_sub(u64::from(LEVELS * clouds));
        let level_count = (room / per_level.max(1)).clamp(1, u64::from(LEVELS)) as u32;
        let mut words_of_levels = level_count * clouds;
        for (i, record) in batch.records.iter_mut().enumerate() {
            record.thresholds = i as u32 * level_count;
            record.levels = words_of_levels;
            words_of_levels += level_count * record.n * record.words;
        }
        let row = batch.most(|r| r.words).max(1);
        let floods_each = (SCRATCH_WORDS / (2 * row * clouds)).clamp(64, 16_384) / 64 * 64;
        let lists_each = (SCRATCH_WORDS / (2 * tuning.list_places * clouds)).clamp(64, 4096) / 64 * 64;
        Ok(Self {
            kernels: Kernels::new(gpu)?,
            levels: zeroed(gpu, "levels", words_of_levels as usize)?,
            level_count,
            columns: zeroed(gpu, "columns", 4 * columns as usize)?,
            bits: upload(gpu, "column bits", &bits)?,
            owners: upload(gpu, "pivot owners", &vec![u32::MAX; loops as usize])?,
            bars: zeroed(gpu, "bars", 2 * loops as usize)?,
            progress: zeroed(gpu, "rounds", ROUNDS as usize)?,
            scratch: zeroed(gpu, "lune bits", (2 * row * floods_each * clouds) as usize)?,
            lists: zeroed(gpu, "column lists", (2 * tuning.list_places * lists_each * clouds) as usize)?,
            floods_each,
            growth: vec![tuning.growth; state.len()],
            lists_each,
            tuning,
            failed,
        })
    }

    /// Goes through the edges until every loop of every cloud is dead, or the edges end. Returns the state at the end.
    pub fn run(&mut self, batch: &mut Batch<'_>, recorder: &mut Recorder<'_>, mut state: Vec<State>) -> Result<()> {
        while batch.records.iter().any(|r| r.done == 0) {
            for (record, s) in batch.records.iter().zip(&mut state) {
                s.pending = 0;
                if record.done == 0 {
                    s.deaths = 0;
                }
            }
            batch.write_state(&state)?;
            batch.write_records()?;
            self.write_thresholds(batch)?;
            state = self.look_at_block(batch, recorder)?;
            state = self.reduce(batch, recorder, &state)?;
            for (i, (record, s)) in batch.records.iter_mut().zip(&state).enumerate() {
                self.failed[i] |= s.failure != 0;
                if self.failed[i] || s.deaths == record.births || record.high >= s.limit {
                    record.done = 1;
                    continue;
                }
                record.low = record.high + 1;
                let further = f32::from_bits(record.high) * (1.0 + self.growth[i]);
                record.high = further.to_bits().clamp(record.low, s.limit);
                self.growth[i] *= 2.0;
            }
        }
        Ok(())
    }

    /// Thresholds evenly between the ends of each cloud's block.
    fn write_thresholds(&self, batch: &Batch<'_>) -> Result<()> {
        let count = self.level_count;
        let of_cloud = |r: &CloudRecord| {
            let (low, high) = (f32::from_bits(r.low), f32::from_bits(r.high));
            let at = move |l: u32| low + (high - low) * ((l + 1) as f32 / count as f32);
            let high = r.high;
            (0..count).map(move |l| if l + 1 == count { high } else { at(l).to_bits().min(high) })
        };
        let thresholds: Vec<u32> = batch.records.iter().flat_map(of_cloud).collect();
        batch.gpu.scoped("thresholds", || {
            batch.gpu.queue().write_buffer(&self.levels, 0, bytemuck::cast_slice(&thresholds));
        })
    }

    /// Finds the components of a block's links.
    fn look_at_block(&self, batch: &Batch<'_>, recorder: &mut Recorder<'_>) -> Result<Vec<State>> {
        let (clouds, table, state, levels) = (all(&batch.clouds), all(&batch.table), all(&batch.state), all(&self.levels));
        let (roles, pending) = (all(&batch.roles), all(&batch.pending));
        let alive = |f: &dyn Fn(&CloudRecord) -> u32| batch.most(|r| if r.done == 0 { f(r) } else { 0 });
        let words = f64::from(batch.most(|r| r.words));
        let work = Work { groups: 0, clouds: batch.len(), a: self.level_count, b: 0, cost: 64.0 * 48.0, most_groups: 0 };

        let of_words = Work { groups: alive(&|r| (r.n * r.words).div_ceil(64)), ..work };
        recorder.dispatch(&self.kernels.levels, &[clouds, table, levels], of_words)?;

        let pairs = Work { groups: alive(&|r| r.pairs.div_ceil(64)), cost: 64.0 * (8.0 + 2.0 * words), ..work };
        recorder.dispatch(&self.kernels.links, &[clouds, table, all(&batch.near), levels, state, roles, pending], pairs)?;
        recorder.submit()?;

        let most = batch.read_state()?.iter().map(|s| s.pending).max().unwrap_or(0);
        let floods = Work {
            groups: most.div_ceil(64),
            b: self.floods_each,
            most_groups: self.floods_each / 64,
            cost: 64.0 * (32.0 + 24.0 * words),
            ..work
        };
        let bindings = [clouds, table, levels, state, roles, pending, all(&self.columns), all(&self.scratch)];
        recorder.dispatch(&self.kernels.components, &bindings, floods)?;
        recorder.submit()?;
        batch.read_state()
    }

    /// Expands the new columns, reduces in rounds until nothing changes, and counts the dead.
    fn reduce(&self, batch: &Batch<'_>, recorder: &mut Recorder<'_>, state: &[State]) -> Result<Vec<State>> {
        let most =
            batch.records.iter().zip(state).filter(|(r, _)| r.done == 0).map(|(r, s)| s.columns.min(r.column_capacity)).max();
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
        let bindings = [clouds, all(&batch.table), all(&batch.roles), cloud_state, columns, bits, all(&self.lists)];
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
        batch.read_state()
    }

    fn tally(&self, batch: &Batch<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
        let groups = batch.most(|r| r.births).div_ceil(64);
        let bindings =
            [all(&batch.clouds), all(&batch.births), all(&self.columns), all(&self.owners), all(&batch.state), all(&self.bars)];
        let work = Work { groups, clouds: batch.len(), a: 0, b: 0, cost: 512.0, most_groups: 0 };
        recorder.dispatch(&self.kernels.tally, &bindings, work)
    }

    /// Birth and death keys of all loops of all clouds.
    pub fn bars(&self, batch: &Batch<'_>) -> Result<Vec<[u32; 2]>> {
        let loops: u32 = batch.records.iter().map(|r| r.births).sum();
        download(batch.gpu, &self.bars, 0, 2 * loops as usize)
    }
}
