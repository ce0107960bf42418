//! The buffers of a batch of clouds, and its descriptions.

use super::Tuning;
use super::layout::{CloudRecord, MOST_SAMPLED, NO_POINTS, SHARED, STATE_WORDS, State};
use crate::error::Result;
use crate::gpu::{Gpu, Kernel, Parts, Split, download, upload, words_of_arrays, zeroed};
use crate::topology::cloud::CloudView;
use crate::topology::order::Key;
use std::sync::Arc;

/// What a cloud's distances come from.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// Points in the batch's array of numbers.
    Points(CloudView),
    /// A table of keys that the host gives, for this many points.
    Table(usize),
}

impl Shape {
    pub fn len(&self) -> usize {
        match self {
            Shape::Points(v) => v.len,
            Shape::Table(n) => *n,
        }
    }
}

/// Edges of a relative neighbourhood graph that there is room for. Random points have about 2 n in
/// the plane and 4 n in R^16; a cloud with more (a table of random numbers, say) is finished by the
/// host.
fn graph_capacity(n: u32, tuning: Tuning) -> u32 {
    let n = u64::from(n);
    (n * n.saturating_sub(1) / 2).min(u64::from(tuning.graph_edges) * n).clamp(1, u64::from(u32::MAX)) as u32
}

/// Keys to sample of clouds of up to `n` points: enough for 16 levels even where only a small part
/// of the edges matters, as it is in large clouds of few dimensions.
fn sampled(n: u32) -> u32 {
    (2 * n).next_power_of_two().clamp(256, MOST_SAMPLED)
}

/// Edges of a list that there is room for: all pairs of a small cloud. Blocks of a large one have
/// about 50 n edges (see `block_end`), and candidates of the graph are listed in turns.
fn todo_capacity(n: u32, tuning: Tuning) -> u32 {
    let n = u64::from(n);
    // A workgroup of `shaders/candidates.wgsl` lists up to 1024.
    let room = (n * u64::from(tuning.list_edges_each)).max(u64::from(tuning.list_edges)).max(1024);
    (n * n.saturating_sub(1) / 2).min(room) as u32
}

/// Bytes on the device per cloud of `n` points before its columns: table, roles, levels, two lists
/// of edges, for dimension 2 the open links, the graph, and small change.
pub(super) fn bytes_per_cloud(n: usize, max_dim: usize, tuning: Tuning) -> u64 {
    let arrays: u64 = words_of_arrays(n as u64).iter().map(|(_, words)| 4 * words).sum();
    let (graph, todo) = (graph_capacity(n as u32, tuning), todo_capacity(n as u32, tuning));
    let n = n as u64;
    let open = if max_dim == 2 { 2 * n * n } else { 0 };
    arrays + open + 8 * u64::from(todo) + 12 * u64::from(graph) + 64 * n + 1024
}

/// Bytes that a cloud of `n` points takes in each of the other buffers that may be the first to
/// reach the limit of a binding: lists, graph, and, for as many loops as there are points, columns
/// and their bits. What has more loops than fit the host finishes.
pub(super) fn bytes_of_buffers(n: usize, max_dim: usize, tuning: Tuning) -> [u64; 4] {
    let columns = n as u64 * u64::from(tuning.columns_per_loop) + u64::from(tuning.columns_spare);
    let (graph, todo) = (graph_capacity(n as u32, tuning), todo_capacity(n as u32, tuning));
    let n = n as u64;
    [
        if max_dim == 2 { 2 * n * n } else { 4 * u64::from(todo) },
        (4 * u64::from(sampled(n as u32))).max(8 * u64::from(graph)),
        16 * columns,
        16 * n.div_ceil(128) * columns,
    ]
}

/// Clouds on the device. All arrays are packed cloud after cloud at the places that the records
/// say.
pub(super) struct Batch<'a> {
    pub gpu: &'a Gpu,
    pub records: Vec<CloudRecord>,
    /// Into how many parts the arrays of a large cloud are cut.
    pub parts: Parts,
    pub clouds: wgpu::Buffer,
    pub state: wgpu::Buffer,
    /// Keys of all pairs, `n x n`.
    pub table: Split,
    /// What every pair's edge does.
    pub roles: Split,
    /// Edges of a block.
    pub todo: wgpu::Buffer,
    /// The four nearest of every point, and their keys.
    pub near: wgpu::Buffer,
    /// The relative neighbourhood graph: keys and names.
    pub graph: wgpu::Buffer,
    /// Keys of the loop-opening edges, in order.
    pub births: wgpu::Buffer,
    /// A sample of each cloud's keys, ascending, ...
    pub sample: wgpu::Buffer,
    /// ... this many, a power of two.
    pub sampled: u32,
    /// For each cloud the parents of its points, then the keys of its merges.
    pub forest: wgpu::Buffer,
}

impl<'a> Batch<'a> {
    /// Allocates for clouds of these shapes. `limits` are the keys of their thresholds; `tables`
    /// holds the key tables of those that have one, one after the other.
    pub fn new(gpu: &'a Gpu, shapes: &[Shape], limits: &[Key], tables: &[Vec<Key>], tuning: Tuning) -> Result<Self> {
        let mut records = Vec::with_capacity(shapes.len());
        let mut end = CloudRecord::default();
        for shape in shapes {
            let n = shape.len() as u32;
            let view = match shape {
                Shape::Points(v) => *v,
                Shape::Table(_) => CloudView { len: 0, features: 0, offset: 0, stride: NO_POINTS as usize },
            };
            let record = CloudRecord {
                index: records.len() as u32,
                n,
                features: view.features as u32,
                offset: view.offset as u32,
                stride: view.stride as u32,
                pairs: n * (n - 1) / 2,
                graph_capacity: graph_capacity(n, tuning),
                row: n.next_multiple_of(4),
                quads: n.div_ceil(128),
                todo_capacity: todo_capacity(n, tuning),
                ..end
            };
            end.todo += record.todo_capacity;
            end.table += n * record.row;
            end.roles += record.pairs;
            end.vertices += n;
            end.graph += record.graph_capacity;
            records.push(record);
        }
        // Only a cloud that is alone in its batch has arrays of several parts.
        let binding = tuning.binding_bytes.min(gpu.max_binding());
        let parts =
            if let [shape] = shapes { Parts::of(&words_of_arrays(shape.len() as u64), binding) } else { Parts::of(&[], binding) };
        let table = if tables.is_empty() {
            Split::zeroed(gpu, "distance tables", end.table as usize, &parts)?
        } else {
            let mut all = vec![Key::NO_EDGE; end.table as usize];
            let of_table = shapes.iter().zip(&records).filter(|(s, _)| matches!(s, Shape::Table(_)));
            for ((_, record), table) in of_table.zip(tables) {
                let rows = all[record.table as usize..].chunks_mut(record.row as usize);
                rows.zip(table.chunks(record.n as usize)).for_each(|(row, keys)| row[..keys.len()].copy_from_slice(keys));
            }
            Split::upload(gpu, "distance tables", &all, &parts)?
        };
        let sampled = sampled(records.iter().map(|r| r.n).max().unwrap_or(0));
        let state: Vec<State> = limits.iter().map(|&Key(limit)| State { limit, ..State::default() }).collect();
        Ok(Self {
            gpu,
            clouds: upload(gpu, "cloud records", &records)?,
            state: upload(gpu, "cloud states", &state)?,
            table,
            roles: Split::zeroed(gpu, "edge roles", end.roles as usize, &parts)?,
            todo: zeroed(gpu, "edges of a block", end.todo as usize)?,
            near: zeroed(gpu, "nearest points", 8 * end.vertices as usize)?,
            graph: zeroed(gpu, "neighbourhood graph", 2 * end.graph as usize)?,
            births: zeroed(gpu, "births", end.graph as usize)?,
            sample: zeroed(gpu, "sample", (sampled * records.len() as u32) as usize)?,
            sampled,
            forest: zeroed(gpu, "forest", 2 * end.vertices as usize)?,
            records,
            parts,
        })
    }

    /// A shader without constants of its own, built when it is first asked for.
    pub fn kernel(&self, name: &'static str, source: &str) -> Result<Arc<Kernel>> {
        self.kernel_with(name, source, &[])
    }

    /// A shader with these constants, which belong to the name.
    pub fn kernel_with(&self, name: &'static str, source: &str, constants: &[(&str, f64)]) -> Result<Arc<Kernel>> {
        let parts = self.parts.of_shader(source);
        self.gpu.kernel(name, &parts, || Kernel::new(self.gpu, name, source, &SHARED, &parts, constants))
    }

    /// Number of clouds.
    pub fn len(&self) -> u32 {
        self.records.len() as u32
    }

    /// The largest value that `f` has over the clouds.
    pub fn most(&self, f: impl Fn(&CloudRecord) -> u32) -> u32 {
        self.records.iter().map(f).max().unwrap_or(0)
    }

    /// Places in the lists of edges of all clouds.
    pub fn list_edges(&self) -> usize {
        self.records.iter().map(|r| r.todo_capacity as usize).sum()
    }

    /// Pairs of points of all clouds.
    pub fn pairs(&self) -> usize {
        self.records.iter().map(|r| r.pairs as usize).sum()
    }

    /// Reads what the stages have found out. Waits for the device.
    pub async fn read_state(&self) -> Result<Vec<State>> {
        download(self.gpu, &self.state, 0, STATE_WORDS * self.records.len()).await
    }

    /// Writes the records of these clouds, which the next dispatches are for.
    pub fn write_records(&self, clouds: &[usize]) -> Result<()> {
        let records: Vec<CloudRecord> = clouds.iter().map(|&i| self.records[i]).collect();
        self.gpu.scoped("cloud records", || self.gpu.queue().write_buffer(&self.clouds, 0, bytemuck::cast_slice(&records)))
    }

    /// Writes the state again after the host changed it.
    pub fn write_state(&self, state: &[State]) -> Result<()> {
        self.gpu.scoped("cloud states", || self.gpu.queue().write_buffer(&self.state, 0, bytemuck::cast_slice(state)))
    }
}
