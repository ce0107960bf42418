//! The facade over both engines.

use super::barcode::{Answer, Barcode, EngineInfo, Pairs, Seconds};
use super::cloud::{Cloud, CloudView};
use super::cpu;
use super::cycles::Cycle;
use super::edges::BarEdges;
#[cfg(feature = "gpu")]
use super::gpu;
use super::input::{Batch, Input};
use super::metric::Metric;
use super::options::{Options, Prepared, ordinary, prepare};
use super::task::{Task, add_seconds};
use crate::error::{Error, Result};
#[cfg(feature = "gpu")]
use crate::gpu::{AdapterChoice, Gpu, adapters};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Which engine is asked for.
#[cfg(feature = "gpu")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EngineKind {
    /// The GPU engine where there is a real GPU, else the native one.
    #[default]
    Auto,
    /// Compute shaders, on a software adapter too.
    Gpu,
    /// The native engine.
    Cpu,
}

/// Numbers that are on a device already.
#[cfg(feature = "gpu")]
#[derive(Clone, Copy, Debug)]
pub struct DeviceNumbers<'a> {
    /// A storage buffer of f32 of the engine's own device.
    pub buffer: &'a wgpu::Buffer,
    /// First byte, a multiple of the device's `min_storage_buffer_offset_alignment`.
    pub offset: u64,
    /// Number of bytes.
    pub bytes: u64,
}

/// Computes barcodes, natively or on a GPU.
///
/// ```
/// use lacuna::topology::{Engine, Options, PointCloud};
/// let square = PointCloud::new(4, 2, vec![0., 0., 1., 0., 1., 1., 0., 1.])?;
/// let barcode = Engine::cpu().barcode(&square.into(), &Options::default())?;
/// assert_eq!(barcode.bars[1].len(), 1); // one loop, from 1 to the square root of 2
/// # Ok::<(), lacuna::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Engine {
    why: String,
    #[cfg(feature = "gpu")]
    gpu: Option<Gpu>,
    #[cfg(feature = "gpu")]
    tuning: gpu::Tuning,
}

impl Engine {
    /// The native engine.
    pub fn cpu() -> Self {
        Self {
            why: "asked for".into(),
            #[cfg(feature = "gpu")]
            gpu: None,
            #[cfg(feature = "gpu")]
            tuning: gpu::Tuning::default(),
        }
    }

    /// The engine that fits this machine: the GPU engine where there is a real GPU, else the native
    /// one. A build without the feature `gpu` has the native one alone.
    ///
    /// # Errors
    /// [`Error::Device`] when there is a GPU that cannot be opened.
    pub fn auto() -> Result<Self> {
        #[cfg(feature = "gpu")]
        return Self::new(EngineKind::Auto, &AdapterChoice::Best);
        #[cfg(not(feature = "gpu"))]
        Ok(Self::cpu().because("this build has no GPU engine".into()))
    }

    /// The engine that is asked for. A named adapter is used even if it is a software one.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] when a GPU engine or a named adapter is asked for and there is none.
    #[cfg(feature = "gpu")]
    pub fn new(kind: EngineKind, adapter: &AdapterChoice) -> Result<Self> {
        let named = *adapter != AdapterChoice::Best;
        match kind {
            EngineKind::Cpu if named => {
                Err(Error::input("an adapter was named, and the native engine, which uses none, was asked for"))
            }
            EngineKind::Cpu => Ok(Self::cpu()),
            EngineKind::Auto if !named => {
                let (use_gpu, why) = Self::auto_choice();
                let engine = if use_gpu { Self::on(Gpu::open(adapter)?) } else { Self::cpu() };
                Ok(engine.because(why))
            }
            _ => Ok(Self::on(Gpu::open(adapter)?)),
        }
    }

    /// The GPU engine on a device that is open already.
    #[cfg(feature = "gpu")]
    pub fn on(gpu: Gpu) -> Self {
        Self { gpu: Some(gpu), why: "asked for".into(), tuning: gpu::Tuning::default() }
    }

    /// The same engine, with another reason for having been taken.
    #[must_use]
    pub fn because(mut self, why: String) -> Self {
        self.why = why;
        self
    }

    /// Whether `auto` takes a GPU here, and why.
    #[cfg(feature = "gpu")]
    pub fn auto_choice() -> (bool, String) {
        match adapters().first() {
            None => (false, "no GPU adapter was found".into()),
            Some(a) if a.software => {
                (false, format!("the only adapter, {}, is software on the same cores, where the native engine is faster", a.name))
            }
            Some(a) => (true, format!("{} is a real GPU", a.name)),
        }
    }

    /// Shrinks the device memory set aside for columns, to reach the overflow paths. For tests.
    #[cfg(feature = "gpu")]
    #[doc(hidden)]
    #[must_use]
    pub fn with_tiny_pools(mut self) -> Self {
        self.tuning = gpu::Tuning {
            columns_per_loop: 1,
            columns_spare: 0,
            list_places: 3,
            graph_edges: 4,
            growth: 0.02,
            batch_bytes: 1 << 18,
            column_bytes: 2048,
        };
        self
    }

    /// Which engine and adapter answer.
    pub fn info(&self) -> EngineInfo {
        #[cfg(feature = "gpu")]
        if let Some(gpu) = &self.gpu {
            return EngineInfo { kind: "gpu".into(), adapter: gpu.record().name.clone() };
        }
        EngineInfo { kind: "cpu".into(), adapter: format!("{} threads", rayon::current_num_threads()) }
    }

    /// Why this engine was taken.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The device, of the GPU engine.
    #[cfg(feature = "gpu")]
    pub fn gpu(&self) -> Option<&Gpu> {
        self.gpu.as_ref()
    }

    /// The barcode of one cloud.
    ///
    /// # Errors
    /// As [`Engine::barcodes`].
    pub fn barcode(&self, cloud: &Cloud, options: &Options) -> Result<Barcode> {
        let one = self.barcodes(std::slice::from_ref(cloud), options)?;
        one.into_iter().next().ok_or_else(|| Error::Internal("an engine returned no barcode".into()))
    }

    /// The barcodes of many clouds in one call, in order. Sizes and kinds may differ.
    ///
    /// # Errors
    /// [`Error::Input`] for bad options, [`Error::TooLarge`] for a cloud beyond the engine's limit,
    /// [`Error::Device`] when the device fails.
    pub fn barcodes(&self, clouds: &[Cloud], options: &Options) -> Result<Vec<Barcode>> {
        Ok(self.timed(clouds, options)?.0)
    }

    /// The barcode of one cloud with engine and times.
    ///
    /// # Errors
    /// As [`Engine::barcodes`].
    pub fn answer(&self, cloud: &Cloud, options: &Options) -> Result<Answer> {
        self.answer_watched(cloud, options, &Task::unwatched())
    }

    /// [`Engine::answer`] for somebody who waits.
    ///
    /// # Errors
    /// As [`Engine::barcodes`]; [`Error::Interrupted`] when the task is cancelled.
    pub fn answer_watched(&self, cloud: &Cloud, options: &Options, task: &Task<'_>) -> Result<Answer> {
        let mut found = None;
        let seconds = self.each(std::slice::from_ref(cloud), options, task, &mut |_, barcode| found = Some(barcode))?;
        let barcode = found.ok_or_else(|| Error::Internal("an engine returned no barcode".into()))?;
        Ok(Answer { barcode, engine: self.info(), seconds })
    }

    /// [`Engine::barcodes`] with wall seconds by stage, when [`Options::profile`] is set (of the
    /// GPU engine by kernel, if the adapter has timestamps); of a batch on the native engine the
    /// seconds of all threads together.
    ///
    /// # Errors
    /// As [`Engine::barcodes`].
    pub fn timed(&self, clouds: &[Cloud], options: &Options) -> Result<(Vec<Barcode>, Seconds)> {
        let mut barcodes = Vec::with_capacity(clouds.len());
        let seconds = self.each(clouds, options, &Task::unwatched(), &mut |_, barcode| barcodes.push(barcode))?;
        Ok((barcodes, seconds))
    }

    /// Computes the barcodes of many clouds and hands each over as soon as it is finished, in
    /// order, with its number. What has been handed over stays, whatever happens to the rest.
    /// `task` hears how far it is, and can stop it.
    ///
    /// # Errors
    /// As [`Engine::barcodes`]; [`Error::Interrupted`] when the task is cancelled.
    pub fn each(
        &self,
        clouds: &[Cloud],
        options: &Options,
        task: &Task<'_>,
        take: &mut dyn FnMut(usize, Barcode),
    ) -> Result<Seconds> {
        let mut failed = None;
        let seconds = self.each_pairs(clouds, options, task, &mut |i, pairs, prepared| {
            let (n, factor, sampled_from) =
                prepared.map_or((clouds[i].len(), 1.0, None), |p| (p.cloud.len(), p.factor, p.sampled_from));
            match pairs.into_barcode(n, options.metric_of(&clouds[i]), options.threshold, 1.0 / factor) {
                Ok(barcode) if failed.is_none() => take(i, Barcode { sampled_from, ..barcode }),
                Ok(_) => {}
                Err(e) => failed = failed.take().or(Some(e)),
            }
        })?;
        failed.map_or(Ok(seconds), Err)
    }

    /// The Betti numbers of many clouds at a scale, dimension by dimension: those of the complex of
    /// all simplices of diameter at most `scale`. Only edges up to there are looked at, and no bars
    /// are made.
    ///
    /// # Errors
    /// As [`Engine::barcodes`]; [`Error::Input`] too for a scale that is not a number, negative, or
    /// above the threshold.
    pub fn betti_numbers(&self, clouds: &[Cloud], scale: f32, options: &Options, task: &Task<'_>) -> Result<Vec<Vec<usize>>> {
        let options = at_scale(options, scale)?;
        let mut numbers = Vec::with_capacity(clouds.len());
        self.each_pairs(clouds, &options, task, &mut |i, pairs, prepared| {
            numbers.push(pairs.alive(prepared.map_or(clouds[i].len(), |p| p.cloud.len())));
        })?;
        Ok(numbers)
    }

    /// Cycles that stand for the `k` longest bars of dimension 1, longest first. Computed by the
    /// native engine, whichever this one is.
    ///
    /// # Errors
    /// As [`Engine::barcodes`].
    pub fn cycles(&self, cloud: &Cloud, options: &Options, k: usize, task: &Task<'_>) -> Result<Vec<Cycle>> {
        options.check()?;
        if options.max_points.is_some_and(|most| most < cloud.len()) {
            return Err(Error::input("the points of a cycle would be those of a sample: take all points, or sample them before"));
        }
        let prepared = prepare(cloud, options)?;
        let (ready, factor) = prepared.as_ref().map_or((cloud, 1.0), |p| (&p.cloud, p.factor));
        let of_keys = cpu::Source::Cloud(ready).metric(options.metric);
        let value = |key: u32| of_keys.distance(key) / factor;
        let length = |birth: u32, death: Option<u32>| death.map_or(f32::INFINITY, value) - value(birth);
        let threshold = options.threshold.map(|t| t * factor);
        let found = cpu::cycles(&cpu::Source::Cloud(ready), options.metric, threshold, k, length, task)?;
        let cycle = |(birth, death, edges): cpu::KeyedCycle| Cycle { birth: value(birth), death: death.map(value), edges };
        Ok(found.into_iter().map(cycle).collect())
    }

    /// The bars of one cloud with the simplices that make them, dimension by dimension, in the order
    /// of [`Engine::barcode`]: dimensions 0 to 2. Computed by the native engine, whichever this one
    /// is.
    ///
    /// # Errors
    /// As [`Engine::barcodes`]; [`Error::Input`] too for dimension 3, and for a cloud that would be
    /// sampled.
    pub fn bars_with_edges(&self, cloud: &Cloud, options: &Options, task: &Task<'_>) -> Result<Vec<Vec<BarEdges>>> {
        options.check()?;
        if options.max_dim > 2 {
            return Err(Error::input("bars know their edges up to dimension 2"));
        }
        if options.max_points.is_some_and(|most| most < cloud.len()) {
            return Err(Error::input("the edges would be those of a sample: take all points, or sample them before"));
        }
        let prepared = prepare(cloud, options)?;
        let (ready, factor) = prepared.as_ref().map_or((cloud, 1.0), |p| (&p.cloud, p.factor));
        let of_keys = cpu::Source::Cloud(ready).metric(options.metric);
        let threshold = options.threshold.map(|t| t * factor);
        let found = cpu::named_pairs(&cpu::Source::Cloud(ready), options.metric, threshold, options.max_dim, task)?;
        // What is beyond 32 bits is refused there.
        found.keys().into_barcode(ready.len(), of_keys, options.threshold, 1.0 / factor)?;
        Ok(super::edges::bars(ready.len(), &found, of_keys, 1.0 / factor))
    }

    /// Pairs of every cloud as soon as they are known, with what was changed about the cloud
    /// before.
    fn each_pairs(
        &self,
        clouds: &[Cloud],
        options: &Options,
        task: &Task<'_>,
        take: &mut dyn FnMut(usize, Pairs, Option<&Prepared>),
    ) -> Result<Seconds> {
        options.check()?;
        let prepared: Vec<Option<Prepared>> = clouds.iter().map(|c| prepare(c, options)).collect::<Result<_>>()?;
        let ready: Vec<&Cloud> = clouds.iter().zip(&prepared).map(|(c, p)| p.as_ref().map_or(c, |p| &p.cloud)).collect();
        let mut seconds = Seconds::new();
        let mut start = 0;
        while start < ready.len() {
            // Clouds whose distances were multiplied by one factor share their threshold.
            let factor = |i: usize| prepared[i].as_ref().map_or(1.0, |p: &Prepared| p.factor);
            let end = (start..ready.len()).find(|&i| factor(i) != factor(start)).unwrap_or(ready.len());
            let threshold = options.threshold.map(|t| t * factor(start));
            let mut at = start;
            let took = self.pairs(Input::Clouds(&ready[start..end]), options, threshold, task, &mut |pairs| {
                take(at, pairs, prepared[at].as_ref());
                at += 1;
            })?;
            took.iter().for_each(|(name, s)| add_seconds(&mut seconds, name, *s));
            start = end;
        }
        Ok(seconds)
    }

    /// The barcodes of many clouds inside one array of numbers, on the host or on this engine's
    /// device, in one call.
    ///
    /// Coordinates whose distances are beyond the numbers of 32 bits are refused here, not rescaled
    /// as in [`Engine::barcodes`].
    ///
    /// # Errors
    /// As [`Engine::barcodes`]; [`Error::Input`] too for a view that ends beyond the numbers,
    /// numbers that are not finite, or device numbers given to the native engine.
    pub fn barcodes_of(&self, batch: Batch<'_>, options: &Options) -> Result<Vec<Barcode>> {
        let (input, views) = checked(batch, options)?;
        let mut barcodes = Vec::with_capacity(views.len());
        self.pairs(input, options, options.threshold, &Task::unwatched(), &mut |pairs: Pairs| {
            let n = views[barcodes.len()].len;
            barcodes.push(pairs.into_barcode(n, options.metric, options.threshold, 1.0));
        })?;
        barcodes.into_iter().collect()
    }

    /// [`Engine::betti_numbers`] of many clouds inside one array of numbers.
    ///
    /// # Errors
    /// As [`Engine::barcodes_of`] and [`Engine::betti_numbers`].
    pub fn betti_numbers_of(&self, batch: Batch<'_>, scale: f32, options: &Options) -> Result<Vec<Vec<usize>>> {
        let options = at_scale(options, scale)?;
        let (input, views) = checked(batch, &options)?;
        let mut numbers = Vec::with_capacity(views.len());
        self.pairs(input, &options, options.threshold, &Task::unwatched(), &mut |pairs: Pairs| {
            numbers.push(pairs.alive(views[numbers.len()].len));
        })?;
        Ok(numbers)
    }

    fn pairs(
        &self,
        input: Input<'_>,
        options: &Options,
        threshold: Option<f32>,
        task: &Task<'_>,
        take: &mut dyn FnMut(Pairs),
    ) -> Result<Seconds> {
        #[cfg(feature = "gpu")]
        if let Some(gpu) = &self.gpu {
            return gpu::pairs(gpu, input, options, threshold, self.tuning, task, take);
        }
        let sources: Vec<cpu::Source<'_>> = match input {
            Input::Clouds(clouds) => clouds.iter().map(|c| cpu::Source::Cloud(c)).collect(),
            Input::Batch(Batch::Host(data, views)) => views.iter().map(|v| cpu::Source::View(data, *v)).collect(),
            #[cfg(feature = "gpu")]
            Input::Batch(Batch::Device(..)) => {
                return Err(Error::input("the numbers are on a GPU: give them to the engine of that GPU"));
            }
        };
        let start = Instant::now();
        let stages = Mutex::new(Seconds::new());
        let task = if options.profile { task.timed(&stages) } else { *task };
        cpu::pairs(&sources, options.metric, threshold, options.max_dim, &task, take)?;
        let mut seconds = stages.into_inner().unwrap_or_else(PoisonError::into_inner);
        seconds.push(("total".into(), start.elapsed().as_secs_f64()));
        Ok(seconds)
    }
}

/// The options for the complex at one scale: longer edges say nothing about it.
fn at_scale(options: &Options, scale: f32) -> Result<Options> {
    if scale.is_nan() || scale < 0.0 {
        return Err(Error::input("the scale must be a number, 0 or more"));
    }
    if options.threshold.is_some_and(|t| t < scale) {
        return Err(Error::input("the scale is above the threshold: edges between the two would be missing"));
    }
    Ok(Options { threshold: Some(scale), ..*options })
}

/// Refuses options and views that make no sense.
fn checked<'a>(batch: Batch<'a>, options: &Options) -> Result<(Input<'a>, &'a [CloudView])> {
    options.check()?;
    let (views, have) = (batch.views(), batch.numbers());
    if let Some(most) = options.max_points.filter(|&most| views.iter().any(|v| v.len > most)) {
        return Err(Error::input(format!("clouds of a batch are not sampled, and some have more than {most} points")));
    }
    if let Some(bad) =
        views.iter().position(|v| v.len == 0 || v.len > u32::MAX as usize || v.end() > have || v.end() > u32::MAX as usize)
    {
        return Err(Error::input(format!("cloud {bad} of the batch is empty or reaches beyond its {have} numbers")));
    }
    #[cfg_attr(not(feature = "gpu"), allow(irrefutable_let_patterns, reason = "without the feature there is no other place"))]
    if let Batch::Host(data, _) = batch
        && let Some(at) = data.iter().position(|x| !x.is_finite())
    {
        return Err(Error::input(format!("the batch holds {} at place {at}: every number must be finite", data[at])));
    }
    #[cfg_attr(not(feature = "gpu"), allow(irrefutable_let_patterns, reason = "without the feature there is no other place"))]
    if let Batch::Host(data, views) = batch {
        let largest = data.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        let features = views.iter().map(|v| v.features).max().unwrap_or(0);
        let ordinary = ordinary(options.metric, features);
        // Batches are not rescaled, but what is a little small still has its squares.
        if largest >= ordinary.end || (largest > 0.0 && largest < 1e-5 * ordinary.start) {
            return Err(Error::input(format!(
                "the batch holds numbers up to {largest:e}, whose distances are beyond the numbers of 32 bits: multiply all by {}",
                if largest > 1.0 { "1e-20" } else { "1e20" }
            )));
        }
    }
    if options.metric == Metric::KnnHops {
        return Err(Error::input("hops are counted on the host: give the clouds one by one"));
    }
    Ok((Input::Batch(batch), views))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::PointCloud;

    #[test]
    fn extreme_coordinates_neither_overflow_nor_vanish() {
        let square = |s: f32| PointCloud::new(4, 2, vec![0., 0., s, 0., s, s, 0., s]).unwrap().into();
        for s in [1e-30f32, 1e-18, 1.0, 1e18, 1e30] {
            let cosine = Options { metric: Metric::Cosine, threshold: Some(1.5), ..Options::default() };
            let corner = PointCloud::new(2, 2, vec![s, 0., 0., s]).unwrap().into();
            let b = Engine::cpu().barcode(&corner, &cosine).unwrap();
            assert_eq!((b.bars[0][0].death, b.bars[0].len()), (1.0, 2), "at {s}");
            let b = Engine::cpu().barcode(&square(s), &Options::default()).unwrap();
            assert_eq!(b.bars[1].len(), 1, "at {s}");
            assert!((b.bars[1][0].birth / s - 1.0).abs() < 1e-5 && (b.bars[1][0].death / s - 2f32.sqrt()).abs() < 1e-5);
        }
    }

    #[test]
    fn options_are_checked() {
        let cloud: Cloud = PointCloud::new(1, 1, vec![0.0]).unwrap().into();
        let bad = [
            Options { max_dim: 4, ..Options::default() },
            Options { threshold: Some(-1.0), ..Options::default() },
            Options { metric: Metric::Sparse, ..Options::default() },
        ];
        for options in bad {
            assert_eq!(Engine::cpu().barcode(&cloud, &options).unwrap_err().exit_code(), 2);
        }
        assert!(Engine::cpu().barcodes(&[], &Options::default()).unwrap().is_empty());
    }

    /// In every metric a square as large or as small as 32 bits allow is one loop, or refused where
    /// its distances are beyond them.
    #[test]
    fn no_metric_overflows_without_a_word() {
        let square = |s: f32| -> Cloud { PointCloud::new(4, 2, vec![-s, -s, s, -s, s, s, -s, s]).unwrap().into() };
        for metric in [Metric::Euclidean, Metric::SqEuclidean, Metric::Cityblock, Metric::Chebyshev] {
            let options = Options { metric, ..Options::default() };
            let mut refused = 0;
            for s in [1e-40f32, 1e-30, 1e-20, 1e-10, 1.0, 1e10, 1e20, 1e30, 3e38] {
                let side = if metric == Metric::SqEuclidean { 4.0 * f64::from(s) * f64::from(s) } else { 2.0 * f64::from(s) };
                match Engine::cpu().barcode(&square(s), &options) {
                    Ok(b) => {
                        let ends: Vec<f64> = b.bars[0].iter().map(|bar| f64::from(bar.death)).collect();
                        assert!(
                            ends.len() == 4 && ends[..3].iter().all(|d| (d / side - 1.0).abs() < 0.2),
                            "{metric:?} {s}: {ends:?}"
                        );
                    }
                    Err(e) => {
                        refused += 1;
                        assert!(e.to_string().contains("beyond the numbers of 32 bits"), "{e}");
                        assert!(!(1e-36..1e36).contains(&side), "{metric:?} {s}");
                    }
                }
            }
            assert!(refused < 6, "{metric:?}");
            let sampled = Options { max_points: Some(1), ..options };
            let two = CloudView { len: 2, features: 2, offset: 0, stride: 2 };
            let refused = Engine::cpu().barcodes_of(Batch::Host(&[0.0, 1.0, 2.0, 3.0], &[two]), &sampled).unwrap_err();
            assert!(refused.to_string().contains("not sampled"), "{refused}");
            let data = [3e38f32, -3e38, 1e30, 1e30];
            let view = CloudView { len: 2, features: 2, offset: 0, stride: 2 };
            assert!(Engine::cpu().barcodes_of(Batch::Host(&data, &[view]), &options).is_err(), "{metric:?}");
        }
    }

    /// Directions that nearly agree: the cosine distance keeps its digits, as computed in 64 bits.
    #[test]
    fn near_directions_keep_their_distances() {
        let points: Vec<f64> = (0..40)
            .flat_map(|i| {
                let angle = 1.0 + 1e-4 * f64::from(i * i % 41);
                [7.0 * angle.cos(), 7.0 * angle.sin(), 3.0 + 1e-4 * f64::from(i % 7)]
            })
            .collect();
        for metric in [Metric::Cosine, Metric::Correlation] {
            let exact = |i: usize, j: usize| {
                let centred = |i: usize| -> Vec<f64> {
                    let p = &points[3 * i..3 * i + 3];
                    let mean = if metric == Metric::Correlation { p.iter().sum::<f64>() / 3.0 } else { 0.0 };
                    p.iter().map(|x| x - mean).collect()
                };
                let unit = |p: Vec<f64>| {
                    let n = p.iter().map(|x| x * x).sum::<f64>().sqrt();
                    p.into_iter().map(|x| x / n).collect::<Vec<_>>()
                };
                unit(centred(i)).iter().zip(unit(centred(j))).map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / 2.0
            };
            let lower: Vec<f32> = (1..40).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| exact(i, j) as f32).collect();
            let want = Engine::cpu()
                .barcode(&crate::topology::DistanceMatrix::from_lower(40, lower).unwrap().into(), &Options::default())
                .unwrap();
            let (cloud, _) = PointCloud::from_f64(40, 3, &points, metric).unwrap();
            let got = Engine::cpu().barcode(&cloud.into(), &Options { metric, ..Options::default() }).unwrap();
            assert_eq!(got.bars[0].len(), want.bars[0].len());
            for (g, w) in got.bars[0].iter().zip(&want.bars[0]).filter(|(_, w)| w.death.is_finite()) {
                assert!((g.death / w.death - 1.0).abs() < 0.01, "{metric:?}: {} for {}", g.death, w.death);
            }
        }
    }
}
