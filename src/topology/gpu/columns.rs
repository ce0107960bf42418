//! `shaders/levels.wgsl`, `select.wgsl`, `small_links.wgsl` or `links.wgsl` and `components.wgsl`,
//! `collapse.wgsl`, `columns.wgsl`, `reduce.wgsl` or `claim.wgsl` and `add.wgsl`, `tally.wgsl`:
//! which edge kills which loop.
//!
//! The edges are taken in blocks by length, in no order within a block. The first block ends with
//! the last birth. After each the new columns are expanded and reduced, and clouds whose loops are
//! all dead drop out. Of a batch of small clouds each is reduced by one thread, which wastes
//! nothing; a large cloud by all of them, in rounds.

use super::Tuning;
use super::batch::Batch;
use super::layout::{CloudRecord, LEVELS, State, UNEXPANDED};
use crate::error::{Error, Result};
use crate::gpu::{MOST_PARTS, Recorder, STORAGE_BUFFERS, Split, Work, all, download, upload, zeroed};
use crate::topology::cpu::{FoundTriangle, Half};
use crate::topology::order::{EdgeName, Key};
use crate::topology::task::Task;

/// Words of scratch memory that a stage may take.
const SCRATCH_WORDS: u32 = 8 << 20;
/// Loops of a cloud up to which one thread reduces it.
const SMALL: u32 = 1024;
/// Points between two levels around a point, each of which may cost two looks at the table for
/// every link it may be in.
const MOST_BETWEEN: u32 = 6;
/// Additions of a cloud in one dispatch of `shaders/reduce.wgsl`.
const STEPS: u32 = 5000;
/// Rounds of the reduction per submission.
const ROUNDS: u32 = 8;

/// Words of scratch memory that a stage needs for each cloud at the least, where the widest has
/// rows of `quads` times four words.
pub(super) fn scratch_words(quads: u32, tuning: Tuning) -> u64 {
    64 * u64::from((12 * quads).max(tuning.list_places))
}

/// Bytes of the columns' bits that a shader can be shown beside what edges do. Several clouds share
/// one binding.
fn most_bits(batch: &Batch<'_>) -> u64 {
    if batch.len() > 1 {
        return batch.gpu.max_binding();
    }
    // `shaders/columns.wgsl` has both.
    let free = batch.gpu.max_storage_buffers() - STORAGE_BUFFERS + 1;
    let parts = u64::from((free + 1 - batch.parts.count("roles")).min(MOST_PARTS));
    (4 * parts * u64::from(batch.parts.words)).min(4 * u64::from(u32::MAX))
}

/// The longest edge of the block that begins with `record.low`: up to the last birth, then a part
/// more each time, but no more than lets each level of the block hold about [`MOST_BETWEEN`] points
/// around every point.
fn block_end(record: &CloudRecord, state: &State, sample: &[u32], tuning: Tuning) -> u32 {
    let so_far = sample.partition_point(|&k| k < record.low);
    let to_last_birth = sample.partition_point(|&k| k <= state.last_birth).saturating_sub(so_far);
    let wanted = if record.low <= state.last_birth { to_last_birth } else { (so_far as f32 * tuning.growth) as usize };
    let most = sample.len() * (MOST_BETWEEN * LEVELS) as usize / record.n as usize;
    if record.low <= state.last_birth && wanted <= most {
        return state.last_birth;
    }
    sample.get(so_far + wanted.min(most).max(4)).map_or(state.limit, |&k| k.clamp(record.low, state.limit))
}

/// A shader of this step by the name of its file, built when it is first needed.
macro_rules! kernel {
    ($batch:expr, $name:literal) => {
        &*$batch.kernel($name, include_str!(concat!("../../../shaders/", $name, ".wgsl")))?
    };
}

/// The second part of a batch: what it needs once the births are known.
pub(super) struct Columns {
    /// The thresholds of all clouds, then the bits of their levels.
    levels: Split,
    columns: wgpu::Buffer,
    bits: Split,
    pivots: wgpu::Buffer,
    owners: wgpu::Buffer,
    bars: wgpu::Buffer,
    progress: wgpu::Buffer,
    /// Edges that need a second look.
    pending: wgpu::Buffer,
    scratch: wgpu::Buffer,
    lists: wgpu::Buffer,
    /// Edges whose links may hold loops; only where voids are wanted.
    open: Option<wgpu::Buffer>,
    /// Links of a cloud that are flooded at once.
    floods_each: u32,
    /// A sample of each cloud's keys, ascending.
    sample: Vec<u32>,
    /// The clouds whose loops are not all dead: those that the records on the device are of.
    alive: Vec<usize>,
    /// Columns of a cloud that are expanded at once.
    lists_each: u32,
    tuning: Tuning,
    /// Clouds whose memory ran out: their columns are worthless.
    pub failed: Vec<bool>,
}

impl Columns {
    /// Allocates for the births that `state` tells, and completes the records. With `voids` all
    /// edges are looked at, not only those up to the last death, and links are collapsed.
    pub async fn new(batch: &mut Batch<'_>, state: &[State], tuning: Tuning, voids: bool) -> Result<Self> {
        let gpu = batch.gpu;
        let (mut columns, mut words, mut loops) = (0u64, 0u64, 0u64);
        let most_bits = most_bits(batch).min(tuning.column_bytes);
        // A graph that outgrew its memory is not known.
        let mut failed: Vec<bool> = state.iter().map(|s| s.failure != 0).collect();
        for (i, (record, state)) in batch.records.iter_mut().zip(state).enumerate() {
            let mut births = if failed[i] { 0 } else { state.births };
            let mut capacity =
                if births == 0 && !voids { 0 } else { births.saturating_mul(tuning.columns_per_loop) + tuning.columns_spare };
            let words_of = |births: u32, capacity: u32| 4 * u64::from(births.div_ceil(128)) * u64::from(capacity);
            let bits = 4 * (words + words_of(births, capacity));
            if bits > most_bits || 16 * (columns + u64::from(capacity)) > gpu.max_binding() {
                // Too many loops for a matrix on the device beside the others': the host finishes
                // this cloud.
                failed[i] = true;
                (births, capacity) = (0, 0);
            }
            let own = words_of(births, capacity);
            record.births = births;
            record.column_capacity = capacity;
            record.bit_quads = births.div_ceil(128);
            record.columns = columns as u32;
            record.bits = (words / 4) as u32;
            record.loops = loops as u32;
            columns += u64::from(capacity);
            words += own;
            loops += u64::from(births);
        }
        batch.parts.and("bits", words);
        let clouds = batch.len();
        let mut quads = 4 * clouds;
        for (i, record) in batch.records.iter_mut().enumerate() {
            record.thresholds = 4 * i as u32;
            record.levels = quads;
            quads += LEVELS * record.n * record.quads;
        }
        let row = batch.most(|r| r.quads).max(1);
        let sets = if voids { 3 } else { 2 };
        // Small clouds are looked at only once, and with what registers hold.
        let looks_twice = u32::from(voids || row > 2);
        let floods_each = (SCRATCH_WORDS / (4 * sets * row * clouds)).clamp(64, 16_384) / 64 * 64;
        let lists_each = (SCRATCH_WORDS / (tuning.list_places * clouds)).clamp(64, 4096) / 64 * 64;
        Ok(Self {
            levels: Split::zeroed(gpu, "levels", 4 * quads as usize, &batch.parts)?,
            columns: zeroed(gpu, "columns", 4 * columns as usize)?,
            bits: Split::zeroed(gpu, "column bits", words as usize, &batch.parts)?,
            pivots: upload(gpu, "pivots", &vec![UNEXPANDED; columns as usize])?,
            owners: upload(gpu, "pivot owners", &vec![u32::MAX; loops as usize])?,
            bars: zeroed(gpu, "bars", 2 * loops as usize)?,
            progress: zeroed(gpu, "rounds", ROUNDS as usize)?,
            pending: zeroed(gpu, "pending edges", looks_twice as usize * batch.list_edges())?,
            scratch: zeroed(gpu, "lune bits", (looks_twice * 4 * sets * row * floods_each * clouds) as usize)?,
            lists: zeroed(gpu, "column lists", (tuning.list_places * lists_each * clouds) as usize)?,
            floods_each,
            alive: Vec::new(),
            open: if voids { Some(zeroed(gpu, "open links", batch.pairs())?) } else { None },
            sample: download(gpu, &batch.sample, 0, (batch.sampled * clouds) as usize).await?,
            lists_each,
            tuning,
            failed,
        })
    }

    /// Goes through the edges until every loop of every cloud is dead, or the edges end. Returns
    /// the state then.
    pub async fn run(
        &mut self,
        batch: &mut Batch<'_>,
        recorder: &mut Recorder<'_>,
        mut state: Vec<State>,
        task: &Task<'_>,
    ) -> Result<Vec<State>> {
        let voids = self.open.is_some();
        let wanted = |i: &usize| !self.failed[*i] && (voids || batch.records[*i].births > 0);
        self.alive = (0..state.len()).filter(wanted).collect();
        let sampled = batch.sampled as usize;
        for &i in &self.alive {
            let record = &mut batch.records[i];
            record.low = 0;
            record.high = block_end(record, &state[i], &self.sample[i * sampled..][..sampled], self.tuning);
        }
        while !self.alive.is_empty() {
            let clouds = state.len() as u64;
            task.at("clouds of a batch", clouds - self.alive.len() as u64, clouds)?;
            state = self.select_block(batch, recorder, state).await?;
            state = self.look_at_block(batch, recorder, state).await?;
            state = self.reduce(batch, recorder, &state).await?;
            let mut alive = std::mem::take(&mut self.alive);
            alive.retain(|&i| {
                let (record, s) = (&mut batch.records[i], &state[i]);
                self.failed[i] |= s.failure != 0;
                if self.failed[i] || (s.deaths == record.births && !voids) || record.high >= s.limit {
                    return false;
                }
                record.low = record.high + 1;
                record.high = block_end(record, s, &self.sample[i * sampled..][..sampled], self.tuning);
                true
            });
            self.alive = alive;
        }
        Ok(state)
    }

    /// The largest value that `f` has over the clouds whose loops are not all dead.
    fn most(&self, batch: &Batch<'_>, f: impl Fn(usize, &CloudRecord) -> u32) -> u32 {
        self.alive.iter().map(|&i| f(i, &batch.records[i])).max().unwrap_or(0)
    }

    /// Writes thresholds with about as many edges between any two of them.
    fn write_thresholds(&self, batch: &Batch<'_>) -> Result<()> {
        let of_cloud = |(r, sample): (&CloudRecord, &[u32])| {
            let first = sample.partition_point(|&k| k < r.low);
            let inside = &sample[first..sample.partition_point(|&k| k <= r.high).max(first)];
            let at = |l: usize| inside.get((l + 1) * inside.len() / LEVELS as usize).map_or(r.high, |&k| k);
            (0..LEVELS as usize).map(|l| if l + 1 == LEVELS as usize { r.high } else { at(l) }).collect::<Vec<u32>>()
        };
        let thresholds: Vec<u32> =
            batch.records.iter().zip(self.sample.chunks(batch.sampled as usize)).flat_map(of_cloud).collect();
        self.levels.write_beginning(batch.gpu, "thresholds", &thresholds)
    }

    /// Lists the edges of the next block of every cloud. A block that turns out to have more of
    /// them than the list has room for is made shorter.
    async fn select_block(
        &mut self,
        batch: &mut Batch<'_>,
        recorder: &mut Recorder<'_>,
        mut state: Vec<State>,
    ) -> Result<Vec<State>> {
        loop {
            for &i in &self.alive {
                (state[i].todo, state[i].pending, state[i].deaths) = (0, 0, 0);
            }
            batch.write_state(&state)?;
            batch.write_records(&self.alive)?;
            self.write_thresholds(batch)?;
            let (clouds, table, levels) = (all(&batch.clouds), batch.table.all(), self.levels.all());
            let work =
                Work { first: 0, groups: 0, clouds: self.alive.len() as u32, a: 0, b: 0, cost: 64.0 * 48.0, most_groups: 0 };
            let of_words = Work { groups: self.most(batch, |_, r| (4 * r.n * r.quads).div_ceil(64)), ..work };
            recorder.dispatch(kernel!(batch, "levels"), &[clouds, table, levels], of_words).await?;
            let blocks = Work { groups: self.most(batch, |_, r| r.blocks().div_ceil(64)), cost: 64.0 * 24.0, ..work };
            let bindings = [clouds, table, all(&batch.state), all(&batch.todo)];
            recorder.dispatch(kernel!(batch, "select"), &bindings, blocks).await?;
            recorder.submit()?;
            state = batch.read_state().await?;

            let mut again = false;
            let mut alive = std::mem::take(&mut self.alive);
            alive.retain(|&i| {
                let record = &mut batch.records[i];
                if state[i].todo <= record.todo_capacity {
                    return true;
                }
                again = true;
                // So many edges of one length are the host's.
                self.failed[i] = record.low == record.high;
                record.high = record.low + (record.high - record.low) / 2;
                !self.failed[i]
            });
            self.alive = alive;
            if !again {
                return Ok(state);
            }
        }
    }

    /// Finds the components of the links of the edges that are listed.
    async fn look_at_block(&self, batch: &Batch<'_>, recorder: &mut Recorder<'_>, seen: Vec<State>) -> Result<Vec<State>> {
        let (clouds, table, state, levels) = (all(&batch.clouds), batch.table.all(), all(&batch.state), self.levels.all());
        let (roles, pending) = (batch.roles.all(), all(&self.pending));
        let quads = f64::from(batch.most(|r| r.quads));
        let work = Work { first: 0, groups: 0, clouds: self.alive.len() as u32, a: 0, b: 0, cost: 64.0 * 48.0, most_groups: 0 };

        let todo = all(&batch.todo);
        let most = self.most(batch, |i, _| seen[i].todo);
        if self.open.is_none() && batch.most(|r| r.quads) <= 2 {
            let edges = Work { groups: most.div_ceil(64), cost: 64.0 * 160.0, ..work };
            let bindings = [clouds, table, all(&batch.near), levels, state, todo, roles, all(&self.columns)];
            recorder.dispatch(kernel!(batch, "small_links"), &bindings, edges).await?;
            recorder.submit()?;
            return batch.read_state().await;
        }
        let edges = Work { groups: most.div_ceil(64), cost: 64.0 * (16.0 + 4.0 * quads), ..work };
        recorder
            .dispatch(kernel!(batch, "links"), &[clouds, table, all(&batch.near), levels, state, todo, roles, pending], edges)
            .await?;
        recorder.submit()?;

        let seen = batch.read_state().await?;
        let most = self.most(batch, |i, _| seen[i].pending);
        let floods = Work {
            groups: most.div_ceil(64),
            b: self.floods_each,
            most_groups: self.floods_each / 64,
            cost: 64.0 * (64.0 + 32.0 * quads),
            ..work
        };
        let bindings = [clouds, table, levels, state, roles, pending, all(&self.columns), all(&self.scratch)];
        recorder.dispatch(kernel!(batch, "components"), &bindings, floods).await?;
        if let Some(open) = &self.open {
            let bindings = [clouds, table, levels, state, roles, pending, all(open), all(&self.scratch)];
            recorder.dispatch(kernel!(batch, "collapse"), &bindings, Work { cost: 4.0 * floods.cost, ..floods }).await?;
        }
        recorder.submit()?;
        batch.read_state().await
    }

    /// Expands the new columns, reduces in rounds until nothing changes, and counts the dead.
    async fn reduce(&self, batch: &Batch<'_>, recorder: &mut Recorder<'_>, state: &[State]) -> Result<Vec<State>> {
        let most = self.most(batch, |i, r| state[i].columns.min(r.column_capacity));
        let groups = most.div_ceil(64);
        let (clouds, cloud_state, columns, bits, owners) =
            (all(&batch.clouds), all(&batch.state), all(&self.columns), self.bits.all(), all(&self.owners));
        let work = Work { first: 0, groups, clouds: self.alive.len() as u32, a: 0, b: 0, cost: 256.0, most_groups: 0 };
        let expand =
            Work { a: self.tuning.list_places, b: self.lists_each, cost: 64.0 * 64.0, most_groups: self.lists_each / 64, ..work };
        let pivots = all(&self.pivots);
        let bindings = [clouds, batch.roles.all(), cloud_state, columns, bits, all(&self.lists), pivots];
        recorder.dispatch(kernel!(batch, "columns"), &bindings, expand).await?;
        let row_cost = f64::from(3 * batch.most(|r| r.bit_quads) + 8);
        if batch.most(|r| r.births) > SMALL {
            self.reduce_in_rounds(batch, recorder, work, 64.0 * row_cost).await?;
            self.tally(batch, recorder).await?;
            recorder.submit()?;
            return batch.read_state().await;
        }
        // Eight clouds a workgroup.
        let cost = 8.0 * row_cost * f64::from(STEPS.min(32 * most));
        let one = Work { groups: 1, clouds: work.clouds.div_ceil(8), a: work.clouds, cost, ..work };
        let mut dispatches = 1;
        loop {
            for _ in 0..dispatches {
                recorder.dispatch(kernel!(batch, "reduce"), &[clouds, cloud_state, columns, bits, pivots, owners], one).await?;
            }
            self.tally(batch, recorder).await?;
            recorder.submit()?;
            let mut state = batch.read_state().await?;
            let all_done = self.alive.iter().all(|&i| {
                let (s, r) = (&state[i], &batch.records[i]);
                s.current == 0 && s.reduced == s.columns.min(r.column_capacity)
            });
            if all_done {
                return Ok(state);
            }
            // Few clouds need it: most columns meet a few dozen others.
            self.alive.iter().for_each(|&i| state[i].deaths = 0);
            batch.write_state(&state)?;
            dispatches *= 2;
        }
    }

    /// Lets all columns claim and add, round by round, until nothing changes.
    async fn reduce_in_rounds(&self, batch: &Batch<'_>, recorder: &mut Recorder<'_>, work: Work, row_cost: f64) -> Result<()> {
        let (clouds, state, columns) = (all(&batch.clouds), all(&batch.state), all(&self.columns));
        let (bits, pivots, owners) = (self.bits.all(), all(&self.pivots), all(&self.owners));
        loop {
            recorder.submit()?;
            batch.gpu.scoped("rounds", || {
                batch.gpu.queue().write_buffer(&self.progress, 0, &[0; 4 * ROUNDS as usize]);
            })?;
            for round in 0..ROUNDS {
                recorder.dispatch(kernel!(batch, "claim"), &[clouds, state, columns, pivots, owners], work).await?;
                let bindings = [clouds, state, owners, bits, pivots, all(&self.progress)];
                recorder.dispatch(kernel!(batch, "add"), &bindings, Work { a: round, cost: row_cost, ..work }).await?;
            }
            recorder.submit()?;
            let changed: Vec<u32> = download(batch.gpu, &self.progress, 0, ROUNDS as usize).await?;
            if changed.last() == Some(&0) {
                return Ok(());
            }
        }
    }

    async fn tally(&self, batch: &Batch<'_>, recorder: &mut Recorder<'_>) -> Result<()> {
        let groups = self.most(batch, |_, r| r.births).div_ceil(64);
        let bindings =
            [all(&batch.clouds), all(&batch.births), all(&self.columns), all(&self.owners), all(&batch.state), all(&self.bars)];
        let work = Work { first: 0, groups, clouds: self.alive.len() as u32, a: 0, b: 0, cost: 512.0, most_groups: 0 };
        recorder.dispatch(kernel!(batch, "tally"), &bindings, work).await
    }

    /// What the native engine needs to go on with a cloud's voids: its critical triangles, which of
    /// them killed a loop, and the edges whose links may hold loops.
    pub async fn voids(&self, batch: &Batch<'_>, cloud: usize, state: &State) -> Result<Half> {
        let (gpu, r) = (batch.gpu, &batch.records[cloud]);
        let columns: Vec<[u32; 4]> = download(gpu, &self.columns, 4 * r.columns as usize, 4 * state.columns as usize).await?;
        let owners: Vec<u32> = download(gpu, &self.owners, r.loops as usize, r.births as usize).await?;
        let mut killed = vec![false; columns.len()];
        owners.into_iter().filter(|&o| o != Key::NO_EDGE.0).for_each(|o| killed[o as usize] = true);
        let open = self.open.as_ref().ok_or_else(|| Error::Internal("links were not collapsed".into()))?;
        let open: Vec<u32> = download(gpu, open, r.roles as usize, state.open as usize).await?;
        let triangle =
            |(&[_, name, apex, root], killed): (&[u32; 4], bool)| FoundTriangle { edge: EdgeName(name), apex, root, killed };
        Ok(Half { critical: columns.iter().zip(killed).map(triangle).collect(), open: open.into_iter().map(EdgeName).collect() })
    }

    /// Birth and death keys of all loops of all clouds.
    pub async fn bars(&self, batch: &Batch<'_>) -> Result<Vec<[Key; 2]>> {
        let loops: u32 = batch.records.iter().map(|r| r.births).sum();
        let ends: Vec<[u32; 2]> = download(batch.gpu, &self.bars, 0, 2 * loops as usize).await?;
        Ok(ends.into_iter().map(|ends| ends.map(Key)).collect())
    }
}
