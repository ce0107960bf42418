//! The GPU engine: the method of [`super::cpu`] as compute shaders, a batch of clouds at a time.
//!
//! Stage by stage over all clouds of a batch: distances, the relative neighbourhood graph and its
//! forest, then blocks of links and rounds of the reduction. Nothing but the graph is ever sorted:
//! an edge is compared by its key and its ends. What comes back to the host is a few words per
//! cloud between stages and the ends of the bars. Where a cloud's graph or columns outgrow the
//! memory set aside for them, the host finishes it from the device's table: the same distances, so
//! the same bars. How long that took then stands among the seconds.
//!
//! A file here records the shaders of one step, which never run apart; all of them are tested stage
//! by stage in `tests.rs`, where one batch of unlike clouds goes through.

mod batch;
mod columns;
mod distances;
mod graph;
mod host;
mod layout;
#[cfg(feature = "nn")]
pub(crate) use layout::SHARED;
#[cfg(test)]
mod tests;

use crate::clock::Instant;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Recorder, all, can_be_shown, download, most_points, upload, words_of_arrays};
use crate::memory::short_of;
use crate::topology::barcode::{Pairs, Seconds};
use crate::topology::cloud::CloudView;
use crate::topology::cpu::{self, check_size, key_table};
use crate::topology::input::DeviceNumbers;
use crate::topology::metric::Metric;
use crate::topology::options::Options;
use crate::topology::order::Key;
use crate::topology::source::Source;
use crate::topology::task::Task;
use batch::{Batch, Shape, bytes_of_buffers, bytes_per_cloud};
use columns::Columns;
use host::{Found, Host, Rest};
use layout::FAILED_NAN;
use std::slice::from_ref;

/// Clouds that are ready.
#[derive(Clone, Copy)]
pub(crate) enum Ready<'a> {
    /// On the host.
    Host(&'a [Source<'a>]),
    /// Views of numbers on the engine's device.
    Device(DeviceNumbers<'a>, &'a [CloudView]),
}

impl Ready<'_> {
    fn len(&self) -> usize {
        match self {
            Ready::Host(clouds) => clouds.len(),
            Ready::Device(_, views) => views.len(),
        }
    }

    fn shape(&self, i: usize) -> Shape {
        match self {
            Ready::Host(clouds) => match clouds[i] {
                Source::Points(_, view) => Shape::Points(view),
                other => Shape::Table(other.len()),
            },
            Ready::Device(_, views) => Shape::Points(views[i]),
        }
    }
}

/// Sizes that a test can lower to reach the overflow paths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tuning {
    /// Room for this many critical columns per loop, ...
    pub columns_per_loop: u32,
    /// ... and this many more.
    pub columns_spare: u32,
    /// Edges that a column may hold while it is expanded, at least three.
    pub list_places: u32,
    /// Edges of the relative neighbourhood graph that there is room for, per point.
    pub graph_edges: u32,
    /// How many more edges a block takes in, as a part of those before it.
    pub growth: f32,
    /// Device memory that a batch of several clouds may take before its columns, in bytes.
    pub batch_bytes: u64,
    /// Device memory for the bits of columns, in bytes; no more than a binding in any case.
    pub column_bytes: u64,
    /// What is taken as the largest binding, in bytes; no more than that of the device.
    pub binding_bytes: u64,
    /// Edges that a list of a cloud has room for where it has so many, ...
    pub list_edges: u32,
    /// ... or this many for each point, if these are more.
    pub list_edges_each: u32,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            columns_per_loop: 4,
            columns_spare: 256,
            list_places: 64,
            graph_edges: 24,
            growth: 0.4,
            batch_bytes: 512 << 20,
            column_bytes: u64::MAX,
            binding_bytes: u64::MAX,
            list_edges: 8 << 20,
            list_edges_each: 128,
        }
    }
}

/// Coordinates of a point on a software driver: `shaders/distances.wgsl` goes through them up to
/// three times in one thread (see `cut_short` in `shaders/shared/cloud.wgsl`).
const MOST_FEATURES: usize = 20_000;

/// Bytes on the device for one cloud of `n` points before its columns.
pub(crate) fn bytes(n: usize, max_dim: usize) -> u64 {
    bytes_per_cloud(n, max_dim, Tuning::default())
}

/// What is wanted of every cloud.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    metric: Metric,
    threshold: Option<f32>,
    max_dim: usize,
    tuning: Tuning,
    task: &'a Task<'a>,
}

/// Hands over the pairs of every cloud, in order, batch by batch. Returns wall seconds, or seconds
/// per kernel when profiling.
///
/// # Errors
/// [`Error::TooLarge`] for a cloud beyond the adapter's limits, [`Error::Input`] when a distance is
/// not a number (device input is not checked before), [`Error::Device`] when the device fails,
/// [`Error::Interrupted`] when the task is cancelled.
pub(crate) async fn pairs(
    gpu: &Gpu,
    input: Ready<'_>,
    options: &Options,
    threshold: Option<f32>,
    tuning: Tuning,
    task: &Task<'_>,
    take: &mut dyn FnMut(Pairs),
) -> Result<Seconds> {
    let total = Instant::now();
    let mut recorder = Recorder::new(gpu, options.profile)?;
    let wanted = Wanted { metric: options.metric, threshold, max_dim: options.max_dim, tuning, task };
    if options.max_dim > 1 {
        // The host will need its own table.
        (0..input.len()).try_for_each(|i| check_size(input.shape(i).len(), options.max_dim))?;
    }
    // Natively all that waits stands still, so that nothing is lost by not waiting otherwise.
    #[cfg(not(target_arch = "wasm32"))]
    let (finishing, without_device) = rayon::in_place_scope(|threads| {
        let mut host = Host::new(wanted, take, threads);
        pollster::block_on(batches(gpu, input, wanted, &mut recorder, &mut host)).map(|()| (host.seconds, host.without_device))
    })?;
    #[cfg(target_arch = "wasm32")]
    let (finishing, without_device) = {
        let mut host = Host::new(wanted, take, std::marker::PhantomData);
        batches(gpu, input, wanted, &mut recorder, &mut host).await?;
        (host.seconds, host.without_device)
    };
    let mut seconds: Seconds = recorder.collect_timings().await?.into_iter().map(|(name, s)| (name.to_string(), s)).collect();
    let total = total.elapsed().as_secs_f64();
    // What the device had no part in is the host's from beginning to end.
    let finishing = if without_device == input.len() { Some(total) } else { finishing };
    seconds.extend(finishing.map(|s| (super::FINISHED_ON_HOST.to_string(), s)));
    seconds.push(("total".into(), total));
    Ok(seconds)
}

/// Takes the clouds batch by batch; what the device does not finish goes to the host.
async fn batches(
    gpu: &Gpu,
    input: Ready<'_>,
    wanted: Wanted<'_>,
    recorder: &mut Recorder<'_>,
    host: &mut Host<'_, '_>,
) -> Result<()> {
    let mut start = 0;
    while start < input.len() {
        match next_batch(gpu, input, start, wanted, recorder, host).await {
            Ok(found) => {
                start += found.len();
                host.take_over(found)?;
            }
            // What is finished is handed on all the same.
            Err(e) => return host.catch_up().and(Err(e)),
        }
    }
    host.catch_up()
}

/// The device's part of the next clouds.
async fn next_batch(
    gpu: &Gpu,
    input: Ready<'_>,
    start: usize,
    wanted: Wanted<'_>,
    recorder: &mut Recorder<'_>,
    host: &mut Host<'_, '_>,
) -> Result<Vec<Found>> {
    wanted.task.clouds(start)?;
    let end = start + how_many_fit(gpu, input, start, wanted.max_dim, wanted.tuning)?;
    let sizes = || (start..end).map(|i| input.shape(i).len());
    let tables: u64 = sizes().map(|n| 4 * (n as u64).pow(2)).sum();
    let need = tables + sizes().map(|n| cpu::bytes(n, wanted.max_dim.min(2))).max().unwrap_or(0);
    if tables > wanted.tuning.batch_bytes || short_of(2 * need).is_some() {
        // The host has no room for two batches.
        host.catch_up()?;
    }
    match run_batch(gpu, input, start..end, wanted, recorder).await {
        // The device, or the host beside it, has less memory than a shader can be shown.
        Err(Error::TooLarge(_)) if end == start + 1 => {
            host.catch_up()?;
            on_host(input, start, wanted, host).map(|pairs| vec![pairs])
        }
        other => other,
    }
}

/// The native engine's answer for a cloud that the device has no room for.
fn on_host(input: Ready<'_>, cloud: usize, wanted: Wanted<'_>, host: &mut Host<'_, '_>) -> Result<Found> {
    let Ready::Host(clouds) = input else {
        return Err(Error::TooLarge("the device has no room for a cloud beside its numbers: use fewer samples".into()));
    };
    let start = Instant::now();
    let Wanted { metric, threshold, max_dim, task, .. } = wanted;
    let native = cpu::Wanted { metric, threshold, max_dim, task };
    let mut found = None;
    cpu::pairs(&clouds[cloud..=cloud], native, &mut |pairs| found = Some(pairs))?;
    *host.seconds.get_or_insert(0.0) += start.elapsed().as_secs_f64();
    host.without_device += 1;
    found.map(Found::Whole).ok_or_else(|| Error::Internal("an engine returned no pairs".into()))
}

/// How many clouds from `start` on fit the device together: at least one, or an error that names
/// the limit.
fn how_many_fit(gpu: &Gpu, input: Ready<'_>, start: usize, max_dim: usize, tuning: Tuning) -> Result<usize> {
    let whole = gpu.max_binding();
    if let Ready::Device(DeviceNumbers { bytes, .. }, _) = input
        && bytes > whole
    {
        return Err(Error::TooLarge(format!(
            "the numbers take {bytes} bytes on {}, which shows at most {whole} to a shader: use fewer samples at once",
            gpu.record().name
        )));
    }
    let binding = whole.min(tuning.binding_bytes);
    let (mut arrays, mut buffers, mut points, mut bytes, mut count, mut widest) =
        ([0u64; 3], [0u64; 4], 0u64, 0u64, 0usize, 0u64);
    for i in start..input.len() {
        let shape = input.shape(i);
        let n = shape.len() as u64;
        if !can_be_shown(n, binding, gpu.max_storage_buffers()) {
            let most = most_points(binding, gpu.max_storage_buffers());
            let message = format!(
                "a cloud of {n} points needs a table of {} bytes; {} shows at most {binding} bytes in a binding and {} bindings to a \
                 shader, which is enough for {most} points",
                4 * n * n.next_multiple_of(4),
                gpu.record().name,
                gpu.max_storage_buffers()
            );
            return Err(Error::TooManyPoints { message, most, on_device: true });
        }
        if let Shape::Points(v) = shape
            && gpu.record().software
            && v.features > MOST_FEATURES
        {
            return Err(Error::TooLarge(format!(
                "points of {} coordinates: a software driver as {} may end a loop after 65,535 turns, so at most {MOST_FEATURES} are possible; the native engine takes any number",
                v.features,
                gpu.record().name
            )));
        }
        if let (Shape::Points(v), Ready::Host(..)) = (shape, input) {
            points += 4 * (v.len * v.features) as u64;
        }
        arrays.iter_mut().zip(words_of_arrays(n)).for_each(|(sum, (_, words))| *sum += 4 * words);
        buffers.iter_mut().zip(bytes_of_buffers(shape.len(), max_dim, tuning)).for_each(|(sum, own)| *sum += own);
        bytes += bytes_per_cloud(shape.len(), max_dim, tuning);
        // Stages share scratch memory out among all clouds, at least a workgroup's part to each.
        widest = widest.max(n.div_ceil(128));
        let scratch = (count as u64 + 1) * columns::scratch_words(widest as u32, tuning) * 4;
        let room = arrays.into_iter().chain(buffers).chain([points, scratch]).all(|b| b <= binding);
        if count > 0 && !(room && bytes <= tuning.batch_bytes && count < 65_535) {
            break;
        }
        count += 1;
    }
    Ok(count)
}

async fn run_batch(
    gpu: &Gpu,
    input: Ready<'_>,
    range: std::ops::Range<usize>,
    wanted: Wanted<'_>,
    recorder: &mut Recorder<'_>,
) -> Result<Vec<Found>> {
    let Wanted { metric, threshold, max_dim, tuning, task } = wanted;
    let first = range.start;
    let mut shapes: Vec<Shape> = range.clone().map(|i| input.shape(i)).collect();
    let of_cloud = |shape: &Shape| if let Shape::Table(_) = shape { Metric::Precomputed } else { metric };
    let limits: Vec<Key> = shapes.iter().map(|s| threshold.map_or(Key::MAX, |t| of_cloud(s).threshold_key(t))).collect();
    let mut tables = Vec::new();
    if let Ready::Host(clouds) = input {
        for cloud in clouds[range.clone()].iter().filter(|c| c.features().is_none()) {
            let table = key_table(cloud, Metric::Precomputed, true);
            tables.push(table.into_iter().map(Key::of_entry).collect());
        }
    }
    let packed = pack_points(input, range, &mut shapes);
    let mut batch = Batch::new(gpu, &shapes, &limits, &tables, tuning)?;
    drop(tables);
    if shapes.iter().any(|s| matches!(s, Shape::Points(_))) {
        match input {
            Ready::Device(DeviceNumbers { buffer, offset, bytes }, _) => {
                distances::record(&batch, recorder, (from_ref(buffer), offset, bytes), metric).await?;
            }
            _ => {
                let points = upload(gpu, "points", &packed)?;
                distances::record(&batch, recorder, all(&points), metric).await?;
            }
        }
    }
    graph::record(&batch, recorder).await?;
    let state = graph::finish(&batch, recorder).await?;
    if let Some(bad) = state.iter().position(|s| s.failure & FAILED_NAN != 0) {
        return Err(Error::input(format!(
            "cloud {} has points with NaN or infinity, or so far apart that their distance is beyond the numbers of 32 bits",
            first + bad
        )));
    }
    let merges = read_merges(&batch, &state).await?;
    let mut found = Vec::with_capacity(state.len());
    if max_dim == 0 {
        for (i, merges) in merges.into_iter().enumerate() {
            found.push(match state[i].failure {
                0 => Found::Whole(Pairs { merges, classes: Vec::new() }),
                _ => Rest::read(&batch, i, &state[i], None, max_dim).await?,
            });
        }
        return Ok(found);
    }
    if max_dim > 2 {
        for (i, state) in state.iter().enumerate() {
            found.push(Rest::read(&batch, i, state, None, max_dim).await?);
        }
        return Ok(found);
    }
    let mut columns = Columns::new(&mut batch, &state, tuning, max_dim > 1).await?;
    let state = columns.run(&mut batch, recorder, state, task).await?;
    recorder.submit()?;
    let bars = columns.bars(&batch).await?;
    for (i, merges) in merges.into_iter().enumerate() {
        if columns.failed[i] {
            found.push(Rest::read(&batch, i, &state[i], None, max_dim).await?);
            continue;
        }
        let r = batch.records[i];
        let loops = &bars[r.loops as usize..][..r.births as usize];
        let loops: Vec<_> = loops.iter().map(|&[b, d]| (b, (d != Key::NO_EDGE).then_some(d))).collect();
        let pairs = Pairs { merges, classes: vec![loops] };
        found.push(if max_dim > 1 {
            let half = columns.voids(&batch, i, &state[i]).await?;
            Rest::read(&batch, i, &state[i], Some((pairs, half)), max_dim).await?
        } else {
            Found::Whole(pairs)
        });
    }
    Ok(found)
}

/// Points of a range of host clouds, packed; their shapes then point into the packed array.
fn pack_points(input: Ready<'_>, range: std::ops::Range<usize>, shapes: &mut [Shape]) -> Vec<f32> {
    let mut packed = Vec::new();
    for (i, shape) in range.zip(shapes) {
        let Shape::Points(view) = shape else { continue };
        let offset = packed.len();
        let Ready::Host(clouds) = input else { continue };
        (0..view.len).for_each(|p| packed.extend_from_slice(clouds[i].point(p)));
        *view = CloudView { offset, stride: view.features, ..*view };
    }
    packed
}

/// The keys of the edges that merge components, cloud by cloud.
async fn read_merges(batch: &Batch<'_>, state: &[layout::State]) -> Result<Vec<Vec<Key>>> {
    let last = batch.records.last().map_or(0, |r| 2 * (r.vertices + r.n) as usize);
    let forest: Vec<u32> = download(batch.gpu, &batch.forest, 0, last).await?;
    let of_cloud = |(r, s): (&layout::CloudRecord, &layout::State)| {
        forest[(2 * r.vertices + r.n) as usize..][..s.merges as usize].iter().map(|&k| Key(k)).collect()
    };
    Ok(batch.records.iter().zip(state).map(of_cloud).collect())
}
