//! Collects dispatches into submissions that stay short.

use super::source::STEP;
use super::{Gpu, Kernel};
use crate::clock::Instant;
use crate::error::{Error, Result};
use std::time::Duration;
use wgpu::util::DeviceExt;

/// How long a submission should take. Windows resets a device that is busy for about two seconds;
/// below 20 ms the fixed cost of a submission begins to show.
const AIM: Duration = Duration::from_millis(60);
/// Pass timings kept until they are read.
const TIMINGS: u32 = 2048;

/// How many workgroups a slice of `fits` may have, of `left`, so that it does not reach into the
/// next slice: more than a row of them are dispatched as whole rows, of which only the last slice's
/// may go beyond its end, where there is no more work.
fn whole_rows(fits: u32, left: u32, row: u32) -> u32 {
    if fits < left && fits > row { fits - fits % row } else { fits }
}

/// Records dispatches, cuts them where they would take too long, and submits.
///
/// A dispatch tells its cost in steps (roughly, words touched). How many steps fit a submission is
/// learnt from the submissions that were waited for.
pub(crate) struct Recorder<'a> {
    gpu: &'a Gpu,
    encoder: Option<wgpu::CommandEncoder>,
    /// Steps recorded and not submitted.
    pending: f64,
    /// Steps per second, as measured.
    speed: f64,
    timings: Option<Timings>,
    /// The speed is never believed to be more than this.
    #[cfg(test)]
    fastest: f64,
    #[cfg(test)]
    submissions: usize,
}

struct Timings {
    set: wgpu::QuerySet,
    names: Vec<&'static str>,
    totals: Vec<(&'static str, f64)>,
}

/// What a binding shows: the parts of an array, the first byte, and the bytes, of which 0 are all.
pub(crate) type Bound<'a> = (&'a [wgpu::Buffer], u64, u64);
/// What a kernel works on: bindings 1, 2, ...
pub(crate) type Bindings<'a> = &'a [Bound<'a>];

/// A whole buffer as a binding.
pub(crate) fn all(buffer: &wgpu::Buffer) -> Bound<'_> {
    (std::slice::from_ref(buffer), 0, 0)
}

/// One piece of work: `groups` workgroups for each of `clouds` clouds, with the two numbers of its
/// slice.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    /// Number of the first workgroup.
    pub first: u32,
    pub groups: u32,
    pub clouds: u32,
    pub a: u32,
    pub b: u32,
    /// Steps per workgroup, above 0.
    pub cost: f64,
    /// No dispatch may have more workgroups per cloud than this (the shader's scratch memory ends
    /// there); 0 is no limit.
    pub most_groups: u32,
}

impl<'a> Recorder<'a> {
    /// Starts with an empty submission. With `profile`, passes are timed where the adapter can.
    pub fn new(gpu: &'a Gpu, profile: bool) -> Result<Self> {
        let timings = if profile && gpu.has_timestamps() {
            let set = gpu.scoped("timestamps", || {
                gpu.device().create_query_set(&wgpu::QuerySetDescriptor {
                    label: Some("timestamps"),
                    ty: wgpu::QueryType::Timestamp,
                    count: TIMINGS,
                })
            })?;
            Some(Timings { set, names: Vec::new(), totals: Vec::new() })
        } else {
            None
        };
        // First guesses; a real GPU is at least this fast, a software one is about this fast.
        let speed = if gpu.record().software { 2e8 } else { 5e9 };
        Ok(Self {
            gpu,
            encoder: None,
            pending: 0.0,
            speed,
            timings,
            #[cfg(test)]
            fastest: f64::INFINITY,
            #[cfg(test)]
            submissions: 0,
        })
    }

    /// Records `kernel` over all of `work`, in as many dispatches and submissions as it takes.
    pub async fn dispatch(&mut self, kernel: &Kernel, bindings: Bindings<'_>, work: Work) -> Result<()> {
        if work.groups == 0 || work.clouds == 0 {
            return Ok(());
        }
        let most = if work.most_groups == 0 { work.groups } else { work.most_groups.min(work.groups) };
        let mut cloud = 0;
        while cloud < work.clouds {
            // Anew for every row of slices: the speed may have been learnt meanwhile.
            let per_cloud = work.cost * f64::from(work.groups);
            let clouds = ((self.budget() / per_cloud) as u32).clamp(1, work.clouds - cloud);
            let mut first = 0;
            while first < work.groups {
                let left = work.groups - first;
                let fits = ((self.budget() / (work.cost * f64::from(clouds))) as u32).clamp(1, most).min(left);
                let row = self.gpu.device().limits().max_compute_workgroups_per_dimension;
                let groups = whole_rows(fits, left, row);
                let cost = work.cost * f64::from(groups) * f64::from(clouds);
                if self.pending > 0.0 && self.pending + cost > self.budget() {
                    self.submit_and_learn().await?;
                }
                self.record(kernel, bindings, [work.first + first, cloud, work.a, work.b], groups, clouds).await?;
                self.pending += cost;
                first += groups;
            }
            cloud += clouds;
        }
        Ok(())
    }

    /// Steps that fit a submission.
    fn budget(&self) -> f64 {
        self.speed * AIM.as_secs_f64()
    }

    async fn record(&mut self, kernel: &Kernel, bindings: Bindings<'_>, slice: [u32; 4], groups: u32, clouds: u32) -> Result<()> {
        if self.timings.as_ref().is_some_and(|t| t.names.len() as u32 * 2 + 2 > TIMINGS) {
            self.submit_and_learn().await?;
            self.collect_timings().await?;
        }
        let gpu = self.gpu;
        gpu.scoped(kernel.name, || {
            let uniform = gpu.device().create_buffer_init(&wgpu::util::BufferInitDescriptor {
                label: Some("slice"),
                contents: bytemuck::cast_slice(&slice),
                usage: wgpu::BufferUsages::UNIFORM,
            });
            let mut entries = vec![wgpu::BindGroupEntry { binding: 0, resource: uniform.as_entire_binding() }];
            for (binding, (parts, offset, size)) in (1..).zip(bindings) {
                for (part, buffer) in (0..).zip(*parts) {
                    let resource = wgpu::BufferBinding { buffer, offset: *offset, size: wgpu::BufferSize::new(*size) };
                    let binding = if part == 0 { binding } else { STEP * binding + part };
                    entries.push(wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::Buffer(resource) });
                }
            }
            let group = gpu.device().create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(kernel.name),
                layout: &kernel.layout,
                entries: &entries,
            });
            let encoder = self
                .encoder
                .get_or_insert_with(|| gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default()));
            let timestamp_writes = self.timings.as_mut().map(|t| {
                let at = 2 * t.names.len() as u32;
                t.names.push(kernel.name);
                wgpu::ComputePassTimestampWrites {
                    query_set: &t.set,
                    beginning_of_pass_write_index: Some(at),
                    end_of_pass_write_index: Some(at + 1),
                }
            });
            let mut pass =
                encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some(kernel.name), timestamp_writes });
            pass.set_pipeline(&kernel.pipeline);
            pass.set_bind_group(0, &group, &[]);
            let most = gpu.device().limits().max_compute_workgroups_per_dimension;
            let x = groups.min(most);
            pass.dispatch_workgroups(x, groups.div_ceil(x), clouds);
        })
    }

    /// Submits what is recorded.
    pub fn submit(&mut self) -> Result<()> {
        let Some(encoder) = self.encoder.take() else { return Ok(()) };
        self.pending = 0.0;
        #[cfg(test)]
        {
            self.submissions += 1;
        }
        let gpu = self.gpu;
        gpu.scoped("submitting", || {
            gpu.queue().submit([encoder.finish()]);
        })
    }

    /// Submits, waits, and adjusts the speed by how long that took.
    async fn submit_and_learn(&mut self) -> Result<()> {
        let steps = self.pending;
        self.gpu.wait("running a stage").await?;
        let start = Instant::now();
        self.submit()?;
        self.gpu.wait("running a stage").await?;
        if steps < 0.2 * self.budget() {
            return Ok(()); // mostly the fixed cost of a submission: nothing to learn
        }
        let measured = steps / start.elapsed().as_secs_f64().max(1e-6);
        // Costs are rough and differ by stage: follow slowly upwards, at once downwards.
        self.speed = if measured < self.speed { measured } else { self.speed.mul_add(0.5, 0.5 * measured) }.max(1e6);
        #[cfg(test)]
        {
            self.speed = self.speed.min(self.fastest);
        }
        Ok(())
    }

    /// Makes it believe that the device is slow, and keeps it so: every dispatch is cut to pieces.
    #[cfg(test)]
    pub fn slow(mut self) -> Self {
        self.speed = 1.0;
        self.fastest = 1.0;
        self
    }

    /// How often it has submitted.
    #[cfg(test)]
    pub fn submissions(&self) -> usize {
        self.submissions
    }

    /// Seconds per kernel so far, in order of first use; empty unless passes are timed. Waits.
    pub async fn collect_timings(&mut self) -> Result<Vec<(&'static str, f64)>> {
        let Some(timings) = &self.timings else { return Ok(Vec::new()) };
        let count = 2 * timings.names.len() as u32;
        if count > 0 {
            self.submit()?;
            let gpu = self.gpu;
            let timings = self.timings.as_mut().ok_or_else(|| Error::Internal("timings vanished".into()))?;
            let resolved = gpu.scoped("timestamps", || {
                let buffer = gpu.device().create_buffer(&wgpu::BufferDescriptor {
                    label: Some("timestamps"),
                    size: u64::from(count) * 8,
                    usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
                    mapped_at_creation: false,
                });
                let mut encoder = gpu.device().create_command_encoder(&Default::default());
                encoder.resolve_query_set(&timings.set, 0..count, &buffer, 0);
                gpu.queue().submit([encoder.finish()]);
                buffer
            })?;
            let ticks: Vec<u64> = super::download(gpu, &resolved, 0, 2 * count as usize).await?;
            let period = f64::from(gpu.queue().get_timestamp_period()) * 1e-9;
            for (name, ends) in timings.names.drain(..).zip(ticks.chunks(2)) {
                let seconds = ends[1].saturating_sub(ends[0]) as f64 * period;
                match timings.totals.iter_mut().find(|(n, _)| *n == name) {
                    Some((_, total)) => *total += seconds,
                    None => timings.totals.push((name, seconds)),
                }
            }
        }
        Ok(self.timings.as_ref().map(|t| t.totals.clone()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::whole_rows;

    /// Slices of any size tile the work: what a dispatch runs ends where the next begins, but for
    /// the last.
    #[test]
    fn slices_do_not_overlap() {
        for (work, fits) in
            [(1u32, 1u32), (65_535, 70_000), (200_000, 65_536), (195_313, 195_312), (3_124_844, 195_312), (70_000, 3)]
        {
            let row = 65_535;
            let mut first = 0;
            while first < work {
                let groups = whole_rows(fits.min(work - first), work - first, row);
                let x = groups.min(row);
                let run = x * groups.div_ceil(x);
                assert!(run == groups || first + groups == work, "{run} groups run of a slice of {groups}");
                first += groups;
            }
            assert_eq!(first, work);
        }
    }
}
