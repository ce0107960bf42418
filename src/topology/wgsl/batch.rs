//! The buffers of a batch of clouds, and its descriptions.

use super::layout::{CloudRecord, NO_POINTS, SORT_BLOCK, STATE_WORDS, State};
use crate::error::Result;
use crate::gpu::{Gpu, download, upload, zeroed};
use crate::topology::cloud::CloudView;

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

/// Bytes on the device per cloud of `n` points before its columns: the rank table, five arrays of edges, and small change.
pub(super) fn bytes_per_cloud(n: usize) -> u64 {
    let n = n as u64;
    4 * n * n + 20 * (n * n / 2) + n * n / 4 + 64 * n + 1024
}

/// Clouds on the device. All arrays are packed cloud after cloud at the places that the records say.
pub(super) struct Batch<'a> {
    pub gpu: &'a Gpu,
    pub records: Vec<CloudRecord>,
    pub clouds: wgpu::Buffer,
    pub state: wgpu::Buffer,
    /// Keys at first, then ranks.
    pub ranks: wgpu::Buffer,
    pub keys: wgpu::Buffer,
    pub edges: wgpu::Buffer,
    /// The other half of the sort; `spare_edges` holds the births afterwards.
    pub spare_keys: wgpu::Buffer,
    pub spare_edges: wgpu::Buffer,
    pub histogram: wgpu::Buffer,
    pub empties: wgpu::Buffer,
    pub roles: wgpu::Buffer,
    /// For each cloud the parents of its points, then the keys of its merges.
    pub forest: wgpu::Buffer,
}

impl<'a> Batch<'a> {
    /// Allocates for clouds of these shapes. `limits` are the keys of their thresholds; `tables` holds the key tables of those
    /// that have one, one after the other.
    pub fn new(gpu: &'a Gpu, shapes: &[Shape], limits: &[u32], tables: &[Vec<u32>]) -> Result<Self> {
        let mut records = Vec::with_capacity(shapes.len());
        let mut end = CloudRecord::default();
        for shape in shapes {
            let n = shape.len() as u32;
            let view = match shape {
                Shape::Points(v) => *v,
                Shape::Table(_) => CloudView { len: 0, features: 0, offset: 0, stride: NO_POINTS as usize },
            };
            let record = CloudRecord {
                n,
                features: view.features as u32,
                offset: view.offset as u32,
                stride: view.stride as u32,
                pairs: n * (n - 1) / 2,
                words: n.div_ceil(32),
                ..end
            };
            end.ranks += n * n;
            end.edges += record.pairs;
            end.vertices += n;
            end.empties += record.pairs.div_ceil(32);
            end.histogram += 16 * record.pairs.div_ceil(SORT_BLOCK);
            end.adjacency += n * record.words;
            records.push(record);
        }
        let ranks = if tables.is_empty() {
            zeroed(gpu, "rank tables", end.ranks as usize)?
        } else {
            let mut all = vec![0u32; end.ranks as usize];
            let of_table = shapes.iter().zip(&records).filter(|(s, _)| matches!(s, Shape::Table(_)));
            for ((_, record), table) in of_table.zip(tables) {
                all[record.ranks as usize..][..table.len()].copy_from_slice(table);
            }
            upload(gpu, "distance tables", &all)?
        };
        let state: Vec<State> = limits.iter().map(|&limit| State { limit, ..State::default() }).collect();
        let edges = end.edges as usize;
        Ok(Self {
            gpu,
            clouds: upload(gpu, "cloud records", &records)?,
            state: upload(gpu, "cloud states", &state)?,
            ranks,
            keys: zeroed(gpu, "edge keys", edges)?,
            edges: zeroed(gpu, "edges", edges)?,
            spare_keys: zeroed(gpu, "edge keys", edges)?,
            spare_edges: zeroed(gpu, "edges", edges)?,
            histogram: zeroed(gpu, "sort histogram", end.histogram as usize)?,
            empties: zeroed(gpu, "empty lunes", end.empties as usize)?,
            roles: zeroed(gpu, "edge roles", edges)?,
            forest: zeroed(gpu, "forest", 2 * end.vertices as usize)?,
            records,
        })
    }

    /// Number of clouds.
    pub fn len(&self) -> u32 {
        self.records.len() as u32
    }

    /// The largest value that `f` has over the clouds.
    pub fn most(&self, f: impl Fn(&CloudRecord) -> u32) -> u32 {
        self.records.iter().map(f).max().unwrap_or(0)
    }

    /// Reads what the stages have found out. Waits for the device.
    pub fn read_state(&self) -> Result<Vec<State>> {
        download(self.gpu, &self.state, 0, STATE_WORDS * self.records.len())
    }

    /// Writes the records again after the host changed them.
    pub fn write_records(&self) -> Result<()> {
        self.gpu.scoped("cloud records", || {
            self.gpu.queue().write_buffer(&self.clouds, 0, bytemuck::cast_slice(&self.records));
        })
    }

    /// Words of the adjacency bits of all clouds.
    pub fn adjacency_words(&self) -> usize {
        self.records.last().map_or(0, |r| (r.adjacency + r.n * r.words) as usize)
    }
}

/// A whole buffer as a binding.
pub(super) fn all(buffer: &wgpu::Buffer) -> (&wgpu::Buffer, u64, u64) {
    (buffer, 0, 0)
}
