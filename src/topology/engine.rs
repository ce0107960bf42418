//! The facade over both engines.

#[cfg(feature = "gpu")]
use super::barcode::Pairs;
use super::barcode::{Answer, Barcode, EngineInfo, Seconds};
#[cfg(feature = "gpu")]
use super::cloud::CloudView;
use super::cpu;
use super::found::{Found, Of};
#[cfg(feature = "gpu")]
use super::gpu::{self, Ready};
use super::input::Input;
#[cfg(feature = "gpu")]
use super::input::{DeviceNumbers, Kind, check_views};
#[cfg(feature = "gpu")]
use super::metric::Metric;
use super::options::Options;
use super::prepare::{Prepared, prepare, weight};
use super::source::Source;
use super::task::{Task, add_seconds};
use crate::clock::Instant;
use crate::error::{Error, Result};
#[cfg(feature = "gpu")]
use crate::gpu::{AdapterChoice, Gpu, adapters};
use crate::progress::{Unwatched, Watch};
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Points of a cloud of few coordinates, or of a sparse graph, from which on lists are faster than
/// the table of a device.
#[cfg(feature = "gpu")]
const MOST_BY_TABLE: usize = 16_384;

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

/// Computes barcodes, natively or on a GPU.
///
/// ```
/// use lacuna::topology::{Engine, Options, PointCloud};
/// let square = PointCloud::new(4, 2, vec![0., 0., 1., 0., 1., 1., 0., 1.])?;
/// let barcode = Engine::cpu().barcode(square, &Options::default())?;
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
            binding_bytes: 1 << 18,
            list_edges: 0,
            list_edges_each: 20,
        };
        self
    }

    /// Which engine and adapter answer.
    pub fn info(&self) -> EngineInfo {
        #[cfg(feature = "gpu")]
        if let Some(gpu) = &self.gpu {
            return EngineInfo { kind: "gpu".into(), adapter: gpu.record().name.clone() };
        }
        let threads = rayon::current_num_threads();
        EngineInfo { kind: "cpu".into(), adapter: format!("{threads} thread{}", if threads == 1 { "" } else { "s" }) }
    }

    /// Whether the GPU engine leaves a cloud of so many points to lists, if these fit for it:
    /// points of few coordinates, and sparse graphs. Lists take less time and memory.
    #[cfg(feature = "gpu")]
    pub(super) fn leaves_to_lists(&self, points: usize) -> bool {
        self.gpu.as_ref().is_some_and(|gpu| points > gpu.record().max_points.min(MOST_BY_TABLE))
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
    /// As [`Engine::each`]; [`Error::Input`] too for any other number of clouds.
    pub fn barcode<'a>(&self, input: impl Into<Input<'a>>, options: &Options) -> Result<Barcode> {
        Ok(self.answer(input, options, &mut Unwatched)?.barcode)
    }

    /// The barcodes of many clouds in one call, in order. Sizes and kinds may differ.
    ///
    /// # Errors
    /// As [`Engine::each`].
    pub fn barcodes<'a>(&self, input: impl Into<Input<'a>>, options: &Options) -> Result<Vec<Barcode>> {
        let mut barcodes = Vec::new();
        self.each(input, options, &mut Unwatched, &mut |_, barcode| barcodes.push(barcode))?;
        Ok(barcodes)
    }

    /// The barcode of one cloud, with the engine that computed it and the time that it took, for
    /// somebody who waits.
    ///
    /// # Errors
    /// As [`Engine::each`]; [`Error::Input`] too for any other number of clouds.
    pub fn answer<'a>(&self, input: impl Into<Input<'a>>, options: &Options, watch: &mut dyn Watch) -> Result<Answer> {
        at_once(self.answer_async(input, options, watch))
    }

    /// [`Engine::answer`] where nothing may stand still, as in a browser. Natively it does not
    /// return before the end either.
    ///
    /// # Errors
    /// As [`Engine::answer`].
    pub async fn answer_async<'a>(
        &self,
        input: impl Into<Input<'a>>,
        options: &Options,
        watch: &mut dyn Watch,
    ) -> Result<Answer> {
        let input = input.into();
        input.check_one()?;
        let native = options.names_simplices() || input.has_births();
        let mut found = None;
        let mut seconds = self.each_async(input, options, watch, &mut |_, barcode| found = Some(barcode)).await?;
        let barcode = found.ok_or_else(|| Error::Internal("an engine returned no barcode".into()))?;
        // What the host did from beginning to end is the native engine's.
        let of = |name: &str| seconds.iter().find(|(stage, _)| stage == name).map(|&(_, s)| s);
        let all = of(super::FINISHED_ON_HOST).is_some_and(|s| s > 0.0 && Some(s) == of("total"));
        if all {
            seconds.retain(|(name, _)| name != super::FINISHED_ON_HOST);
        }
        let native = native || all;
        let engine = if native { Self::cpu().info() } else { self.info() };
        Ok(Answer { barcode, engine, seconds })
    }

    /// Computes the barcodes of many clouds and hands each over as soon as it is finished, in
    /// order, with its number. What has been handed over stays, whatever happens to the rest.
    /// `watch` hears how far it is, and can stop it.
    ///
    /// Returns wall seconds: in all, and with [`Options::profile`] by stage (of the GPU engine by
    /// kernel, if the adapter has timestamps); of a batch on the native engine the stages' seconds
    /// of all threads together.
    ///
    /// # Errors
    /// [`Error::Input`] for bad options, a view that is empty or ends beyond the numbers, numbers
    /// that are not finite, or device numbers that are given to the native engine or would have to
    /// come to the host; [`Error::TooManyPoints`] and [`Error::TooLarge`] for a cloud beyond the
    /// engine's limit; [`Error::Device`] when the device fails; [`Error::Interrupted`] when the
    /// watch wants to stop.
    pub fn each<'a>(
        &self,
        input: impl Into<Input<'a>>,
        options: &Options,
        watch: &mut dyn Watch,
        take: &mut dyn FnMut(usize, Barcode),
    ) -> Result<Seconds> {
        at_once(self.each_async(input, options, watch, take))
    }

    /// [`Engine::each`] where nothing may stand still, as in a browser.
    ///
    /// # Errors
    /// As [`Engine::each`].
    pub async fn each_async<'a>(
        &self,
        input: impl Into<Input<'a>>,
        options: &Options,
        watch: &mut dyn Watch,
        take: &mut dyn FnMut(usize, Barcode),
    ) -> Result<Seconds> {
        let mut failed = None;
        let mut take = |i, of: Of<'_>, pairs| match of.barcode(pairs, options) {
            Ok(barcode) if failed.is_none() => take(i, barcode),
            Ok(_) => {}
            Err(e) => failed = failed.take().or(Some(e)),
        };
        let seconds = self.pairs(input.into(), options, watch, &mut take).await?;
        failed.map_or(Ok(seconds), Err)
    }

    /// The Betti numbers of many clouds at a scale, dimension by dimension: those of the complex of
    /// all simplices of diameter at most `scale`. Only edges up to there are looked at, and no bars
    /// are made.
    ///
    /// # Errors
    /// As [`Engine::each`]; [`Error::Input`] too for a scale that is not a number, negative, or
    /// above the threshold, and where cycles or edges are asked for.
    pub fn betti_numbers<'a>(
        &self,
        input: impl Into<Input<'a>>,
        scale: f32,
        options: &Options,
        watch: &mut dyn Watch,
    ) -> Result<Vec<Vec<usize>>> {
        let options = at_scale(options, scale)?;
        let mut numbers = Vec::new();
        let mut take = |_, of: Of<'_>, found| numbers.push(of.betti_numbers(&found, scale));
        at_once(self.pairs(input.into(), &options, watch, &mut take))?;
        Ok(numbers)
    }

    /// Hands over what was found out about every cloud, in order, with its number.
    async fn pairs(
        &self,
        input: Input<'_>,
        options: &Options,
        watch: &mut dyn Watch,
        take: &mut dyn FnMut(usize, Of<'_>, Found),
    ) -> Result<Seconds> {
        options.check()?;
        let (input, merged) = input.narrow(options.metric)?;
        if merged > 0 {
            watch.note(&format!("{merged} points became equal to others when they were rounded to 32 bits"));
        }
        let watch = Mutex::new(watch);
        let report = |what: &str, done: u64, total: u64| {
            let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
            watch.at(what, done, total);
            !watch.stopped()
        };
        let task = Task::watched(&report);
        #[cfg(feature = "gpu")]
        if let Kind::Device(numbers, views) = &input.0 {
            return self.pairs_on_device(*numbers, views, options, &task, take).await;
        }
        self.pairs_on_host(&input.sources()?, options, &task, take).await
    }

    /// [`Engine::pairs`] of clouds on the host: they are made ready as many at a time as take
    /// little memory beside what is computed.
    async fn pairs_on_host(
        &self,
        clouds: &[Source<'_>],
        options: &Options,
        task: &Task<'_>,
        take: &mut dyn FnMut(usize, Of<'_>, Found),
    ) -> Result<Seconds> {
        let mut seconds = Seconds::new();
        let mut start = 0;
        while start < clouds.len() {
            let mut room = NUMBERS_AT_ONCE;
            let fits = |cloud: &&Source<'_>| {
                let weight = weight(cloud, options);
                let fits = weight <= room;
                room = room.saturating_sub(weight);
                fits
            };
            let end = start + clouds[start..].iter().take_while(fits).count().max(1);
            let some = &clouds[start..end];
            let ready: Vec<Prepared<'_>> = match some {
                [one] if clouds.len() == 1 => vec![prepare(*one, options, task)?],
                some => {
                    // The first mistake is told, whichever is found first.
                    let ready: Vec<_> = some.par_iter().map(|c| prepare(*c, options, &task.quiet())).collect();
                    let which = |(i, ready): (usize, Result<_>)| ready.map_err(|e| of_cloud(start + i, e));
                    ready.into_iter().enumerate().map(which).collect::<Result<_>>()?
                }
            };
            // Clouds whose distances were multiplied by one factor share their threshold.
            for some in ready.chunk_by(|a, b| a.factor == b.factor) {
                let sources: Vec<Source<'_>> = some.iter().map(Prepared::source).collect();
                let threshold = options.threshold.map(|t| t * some[0].factor);
                let mut at = 0;
                let mut take = |found| {
                    let Prepared { factor, sampled, metric, .. } = some[at];
                    let (points, births) = (sources[at].len(), sources[at].births());
                    let of = Of { points, births, metric, factor, sampled };
                    take(start + at, of, found);
                    at += 1;
                };
                let among = task.among(start, clouds.len());
                let took = self.pairs_of(&sources, options, threshold, &among, &mut take).await?;
                took.iter().for_each(|(name, s)| add_seconds(&mut seconds, name, *s));
                start += some.len();
            }
        }
        Ok(seconds)
    }

    /// The pairs of clouds that are ready, by the engine that can find what is asked for.
    async fn pairs_of(
        &self,
        clouds: &[Source<'_>],
        options: &Options,
        threshold: Option<f32>,
        task: &Task<'_>,
        take: &mut dyn FnMut(Found),
    ) -> Result<Seconds> {
        let births = clouds.iter().any(|c| !c.births().is_empty());
        // What needs no table is not bound to the device's.
        #[cfg(feature = "gpu")]
        let without_table = |c: &Source<'_>| self.leaves_to_lists(c.len()) && cpu::needs_no_table(c, options);
        #[cfg(feature = "gpu")]
        let huge = clouds.iter().any(without_table);
        #[cfg(feature = "gpu")]
        if let Some(gpu) = self.gpu.as_ref().filter(|_| !births && !huge && !options.names_simplices()) {
            let numbers = Ready::Host(clouds);
            return gpu::pairs(gpu, numbers, options, threshold, self.tuning, task, &mut |pairs| take(pairs.into())).await;
        }
        let start = Instant::now();
        let stages = Mutex::new(Seconds::new());
        let task = if options.profile { task.timed(&stages) } else { *task };
        let Options { metric, max_dim, .. } = *options;
        let wanted = cpu::Wanted { metric, threshold, max_dim, task: &task };
        if options.names_simplices() || births {
            named(clouds, options, wanted, births, take)?;
        } else {
            cpu::pairs(clouds, wanted, &mut |pairs| take(pairs.into()))?;
        }
        let mut seconds = stages.into_inner().unwrap_or_else(PoisonError::into_inner);
        let total = start.elapsed().as_secs_f64();
        #[cfg(feature = "gpu")]
        if huge {
            seconds.push((super::FINISHED_ON_HOST.into(), total));
        }
        seconds.push(("total".into(), total));
        Ok(seconds)
    }

    /// [`Engine::pairs`] of clouds whose numbers are on the device and stay there.
    #[cfg(feature = "gpu")]
    async fn pairs_on_device(
        &self,
        numbers: DeviceNumbers<'_>,
        views: &[CloudView],
        options: &Options,
        task: &Task<'_>,
        take: &mut dyn FnMut(usize, Of<'_>, Found),
    ) -> Result<Seconds> {
        let Some(gpu) = &self.gpu else {
            return Err(Error::input("the numbers are on a GPU: give them to the engine of that GPU"));
        };
        check_views(views, (numbers.bytes / 4) as usize)?;
        if let Some(bad) = views.iter().position(|v| v.end() > u32::MAX as usize) {
            return Err(Error::input(format!(
                "cloud {bad} of the batch reaches beyond the {} numbers that a shader can count",
                u32::MAX
            )));
        }
        let refused = if options.names_simplices() {
            "cycles, cocycles and edges are found on the host"
        } else if options.metric == Metric::KnnHops {
            "hops are counted on the host"
        } else if options.max_points.is_some_and(|most| views.iter().any(|v| v.len > most)) {
            "points are sampled on the host"
        } else {
            let (mut i, task) = (0, task.among(0, views.len()));
            let mut take = |pairs: Pairs| {
                let (points, metric) = (views[i].len, options.metric);
                take(i, Of { points, births: &[], metric, factor: 1.0, sampled: None }, pairs.into());
                i += 1;
            };
            let numbers = Ready::Device(numbers, views);
            return gpu::pairs(gpu, numbers, options, options.threshold, self.tuning, &task, &mut take).await;
        };
        Err(Error::input(format!("{refused}, and these numbers are on a device: read them back first")))
    }
}

/// The result of work that never waits for anybody else: the native engine's, and natively that of
/// a GPU too, for which it stands still.
fn at_once<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut work = std::pin::pin!(work);
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(Error::Device("the GPU of a browser answers later: use answer_async or each_async".into())),
    }
}

/// What the native engine finds out where more than births and deaths is asked for.
fn named(
    clouds: &[Source<'_>],
    options: &Options,
    wanted: cpu::Wanted<'_>,
    births: bool,
    take: &mut dyn FnMut(Found),
) -> Result<()> {
    let edges = options.edges || options.cycles > 0 || births;
    let of_edges = |mut named: cpu::NamedPairs| Found {
        pairs: named.keys(),
        cycles: (options.cycles > 0).then(|| std::mem::take(&mut named.cycles)),
        named: Some(named),
        cocycles: None,
    };
    // Edges of dimension 3 come from the same columns as cocycles.
    let reduced = options.cocycles || options.edges && wanted.max_dim > 2;
    if edges && wanted.max_dim <= 2 && !reduced {
        return cpu::named_pairs(clouds, wanted, options.cycles, &mut |named| take(of_edges(named)));
    }
    let mut found: Vec<Found> = Vec::with_capacity(clouds.len());
    if edges {
        cpu::check_sizes(clouds, wanted.max_dim)?;
        let first = cpu::Wanted { max_dim: wanted.max_dim.min(2), ..wanted };
        cpu::named_pairs(clouds, first, options.cycles, &mut |named| found.push(of_edges(named)))?;
    }
    if !edges || wanted.max_dim > 2 {
        let mut at = 0;
        cpu::pairs(clouds, wanted, &mut |pairs| {
            match found.get_mut(at) {
                Some(found) => found.pairs = pairs,
                None => found.push(pairs.into()),
            }
            at += 1;
        })?;
    }
    if reduced {
        let mut all = found.iter_mut();
        cpu::cocycles(clouds, wanted, &mut |cocycles| {
            let Some(found) = all.next() else { return };
            if let (Some(named), Some(third)) = (&mut found.named, cocycles.get(2)) {
                named.classes.push(third.iter().map(|c| (c.0.into(), c.1.map(Into::into))).collect());
            }
            found.cocycles = options.cocycles.then_some(cocycles);
        })?;
    }
    found.into_iter().for_each(take);
    Ok(())
}

/// Coordinates, and entries of tables, that may be copied at one time to make clouds ready.
const NUMBERS_AT_ONCE: usize = 1 << 26;

/// A mistake in one cloud of several.
fn of_cloud(i: usize, e: Error) -> Error {
    match e {
        Error::Input(message) => Error::input(format!("cloud {i}: {message}")),
        other => other,
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
    if options.names_simplices() {
        return Err(Error::input("cycles, cocycles and edges belong to bars, and Betti numbers at one scale have none"));
    }
    Ok(options.threshold(scale))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Metric;
    use crate::topology::{Bar, Cloud, CloudView, DistanceMatrix, PointCloud, SparseGraph};

    #[test]
    fn extreme_coordinates_neither_overflow_nor_vanish() {
        let square = |s: f32| PointCloud::new(4, 2, vec![0., 0., s, 0., s, s, 0., s]).unwrap();
        for s in [1e-30f32, 1e-18, 1.0, 1e18, 1e30] {
            let cosine = Options { metric: Metric::Cosine, threshold: Some(1.5), ..Options::default() };
            let corner = PointCloud::new(2, 2, vec![s, 0., 0., s]).unwrap();
            let b = Engine::cpu().barcode(corner, &cosine).unwrap();
            assert_eq!((b.bars[0][0].death, b.bars[0].len()), (1.0, 2), "at {s}");
            let b = Engine::cpu().barcode(square(s), &Options::default()).unwrap();
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
                match Engine::cpu().barcode(square(s), &options) {
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
            // The same of numbers that are borrowed.
            let data = [3e38f32, -3e38, 1e30, 1e30];
            let borrowed = Engine::cpu().barcode(Input::points(&data, 2).unwrap(), &options);
            assert!(metric == Metric::Chebyshev || borrowed.is_err(), "{metric:?}: {borrowed:?}");
        }
    }

    /// Views are prepared as clouds of their own are: rescaled, sampled, turned into graphs of
    /// hops.
    #[test]
    fn views_are_made_ready_as_clouds_are() {
        let numbers: Vec<f32> = (0..180).map(|i| ((i * 37 % 101) as f32).sin()).collect();
        let views = [0, 60, 120].map(|offset| CloudView { len: 20, features: 3, offset, stride: 3 });
        let cloud = |v: &CloudView, by: f32| -> Cloud {
            PointCloud::new(20, 3, (0..20).flat_map(|i| v.point(&numbers, i)).map(|x| x * by).collect()).unwrap().into()
        };
        for by in [1.0, 1e25] {
            let numbers: Vec<f32> = numbers.iter().map(|x| x * by).collect();
            let clouds: Vec<Cloud> = views.iter().map(|v| cloud(v, by)).collect();
            for options in [Options::default().max_dim(2), Options::default().max_points(7), Options::default().hops(4)] {
                let views = Input::views(&numbers, &views[..]);
                assert_eq!(Engine::cpu().barcodes(views, &options).unwrap(), Engine::cpu().barcodes(&clouds, &options).unwrap());
            }
        }
        let mut bad = numbers.clone();
        bad[70] = f32::NAN;
        let e = Engine::cpu().barcodes(Input::views(&bad, &views[..]), &Options::default()).unwrap_err();
        assert!(e.to_string().contains("cloud 1: point 3 has the coordinate NaN in column 1"), "{e}");
        let beyond = CloudView { len: 61, ..views[0] };
        assert_eq!(Engine::cpu().barcodes(Input::views(&bad, vec![beyond]), &Options::default()).unwrap_err().exit_code(), 2);
        assert!(Engine::cpu().barcode(Input::views(&numbers, &views[..]), &Options::default()).is_err());
    }

    /// Cycles and edges come with the bars, in any dimension that knows them.
    #[test]
    fn one_request_for_bars_cycles_and_edges() {
        let turn = |i: usize| i as f32 * std::f32::consts::TAU / 12.0;
        let circle = PointCloud::new(12, 2, (0..12).flat_map(|i| [turn(i).cos(), turn(i).sin()]).collect()).unwrap();
        for max_dim in 1..=3 {
            let plain = Options::default().max_dim(max_dim);
            let want = Engine::cpu().barcode(&circle, &plain).unwrap();
            let found = Engine::cpu().barcode(&circle, &plain.cycles(2).edges(true)).unwrap();
            assert_eq!(found.bars, want.bars);
            let cycles = found.cycles.unwrap();
            assert!(cycles.len() == 1 && cycles[0].edges.len() == 12 && cycles[0].birth == want.bars[1][0].birth);
            let edges: Vec<usize> = found.edges.unwrap().iter().map(Vec::len).collect();
            assert_eq!(edges, want.bars.iter().map(Vec::len).collect::<Vec<_>>());
        }
        let refused = [Options::default().max_dim(0).cycles(1), Options::default().cycles(1).max_points(5)];
        for options in refused {
            assert_eq!(Engine::cpu().barcode(&circle, &options).unwrap_err().exit_code(), 2);
        }
        assert!(Engine::cpu().betti_numbers(&circle, 1.0, &Options::default().edges(true), &mut Unwatched).is_err());
    }

    /// Vertices that enter late: a circle of six whose first three points are born late, and a
    /// point that is born after all others have met.
    #[test]
    fn components_begin_where_their_vertices_are_born() {
        let turn = |i: usize| i as f32 * std::f32::consts::TAU / 6.0;
        let circle: Vec<[f32; 2]> = (0..6).map(|i| [turn(i).cos(), turn(i).sin()]).collect();
        let births = [0.5, 0.25, 1.0, 0.0, 0.0, 0.0];
        let far = |i: usize, j: usize| {
            let [a, b] = [circle[i], circle[j]];
            ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt().max(births[i]).max(births[j])
        };
        let pairs = || (1..6).flat_map(|i| (0..i).map(move |j| (i, j)));
        let lower: Vec<f32> = pairs().map(|(i, j)| far(i, j)).collect();
        let matrix = DistanceMatrix::from_lower(6, lower).unwrap();
        let graph = SparseGraph::new(6, pairs().map(|(i, j)| (i as u32, j as u32, far(i, j))).collect()).unwrap();
        let late = graph.clone().with_births(births.to_vec()).unwrap();
        for max_dim in 0..=3 {
            let options = Options::default().max_dim(max_dim);
            let without = Engine::cpu().barcode(&matrix, &options).unwrap();
            let found = Engine::cpu().barcode(matrix.clone().with_births(births.to_vec()).unwrap(), &options).unwrap();
            assert_eq!(found.bars[1..], without.bars[1..]);
            let want: Vec<f32> = vec![0.0, 0.0, 0.0, 0.25, 0.5];
            let begin: Vec<f32> = found.bars[0].iter().map(|b| b.birth).collect();
            // The point that is born at 1 meets its neighbours at once.
            assert!(begin == want || begin == [0.0, 0.0, 0.0, 0.25, 0.5, 1.0], "{begin:?}");
            assert_eq!(found.bars[0].iter().filter(|b| b.death.is_infinite()).count(), 1);
            assert_eq!(Engine::cpu().barcode(&late, &options).unwrap().bars, found.bars);
            let numbers = Engine::cpu().betti_numbers(&late, 0.3, &options, &mut Unwatched).unwrap();
            assert_eq!(numbers[0], found.betti_numbers(0.3));
            assert_eq!(found.betti(0, 0.3), 4);
        }
        let edges = Engine::cpu().barcode(&late, &Options::default().edges(true)).unwrap().edges.unwrap();
        assert!(edges[0].iter().any(|e| e.birth == [0]));
        let early = graph.with_births(vec![5.0; 6]).unwrap_err().to_string();
        assert!(early.contains("is born at 5"), "{early}");
        let alone = SparseGraph::new(2, vec![]).unwrap().with_births(vec![1.0, 2.0]).unwrap();
        let found = Engine::cpu().barcode(&alone, &Options::default().threshold(1.5)).unwrap();
        assert_eq!(found.bars[0], [Bar { birth: 1.0, death: f32::INFINITY }]);
    }

    /// A graph of more vertices than a table would hold costs its edges alone in dimension 0.
    #[test]
    fn components_of_large_graphs_need_no_table() {
        let edges = (1..300_000).map(|i| (i, i - 1, (i % 1000 + 1) as f32)).collect();
        let graph = SparseGraph::new(300_000, edges).unwrap();
        let found = Engine::cpu().barcode(&graph, &Options::default().max_dim(0)).unwrap();
        assert_eq!((found.bars[0].len(), found.bars[0][0].death), (300_000, 1.0));
        let named = Engine::cpu().barcode(&graph, &Options::default().max_dim(0).edges(true)).unwrap();
        assert_eq!((&named.bars, named.edges.unwrap()[0].len()), (&found.bars, 300_000));
        let loops = Engine::cpu().barcode(&graph, &Options::default()).unwrap();
        assert_eq!((&loops.bars[0], loops.bars[1].len()), (&found.bars[0], 0));
        let e = Engine::cpu().barcode(&graph, &Options::default().max_dim(2)).unwrap_err();
        assert!(e.to_string().contains("table"), "{e}");
    }

    /// Many points in the plane: a ring of 70,000, whose only long loop is the ring.
    #[test]
    fn a_large_ring_needs_no_table() {
        let at = |i: u32| {
            let (turn, far) = (f64::from(i) * 0.618_033_988_75 * std::f64::consts::TAU, 1.0 + f64::from(i % 1009) / 5000.0);
            [(far * turn.cos()) as f32, (far * turn.sin()) as f32]
        };
        let ring = PointCloud::new(70_000, 2, (0..70_000).flat_map(at).collect()).unwrap();
        let found = Engine::cpu().barcode(&ring, &Options::default().edges(true)).unwrap();
        let longest = found.bars[1].iter().max_by(|a, b| a.length().total_cmp(&b.length())).unwrap();
        // The equilateral triangle in the inner circle.
        assert!(longest.birth < 0.05 && (longest.death - 3f32.sqrt()).abs() < 0.01, "{longest:?}");
        assert_eq!(found.bars[1].iter().filter(|b| b.length() > 0.1).count(), 1);
        let length = |[i, j]: [u32; 2]| {
            let (p, q) = (ring.point(i as usize), ring.point(j as usize));
            p.iter().zip(q).fold(0.0f32, |s, (a, b)| s + (a - b) * (a - b)).sqrt()
        };
        for (bar, edges) in found.bars[1].iter().zip(&found.edges.unwrap()[1]) {
            assert_eq!((length([edges.birth[0], edges.birth[1]]), length(edges.death.unwrap())), (bar.birth, bar.death));
        }
    }

    /// Cocycles come in the order of the bars, beside all else that can be asked for.
    #[test]
    fn cocycles_come_with_the_bars() {
        let turn = |i: usize| i as f32 * std::f32::consts::TAU / 12.0;
        let circle = PointCloud::new(12, 2, (0..12).flat_map(|i| [turn(i).cos(), turn(i).sin()]).collect()).unwrap();
        for max_dim in 1..=3 {
            let options = Options::default().max_dim(max_dim).cocycles(true).cycles(1).edges(true);
            let found = Engine::cpu().barcode(&circle, &options).unwrap();
            let cocycles = found.cocycles.unwrap();
            assert_eq!(cocycles.len(), max_dim + 1);
            for (of, bars) in cocycles.iter().zip(&found.bars).skip(1) {
                let ends = of.iter().map(|c| Bar { birth: c.birth, death: c.death.unwrap_or(f32::INFINITY) });
                assert_eq!(ends.collect::<Vec<_>>(), *bars);
            }
            // The cycle around the circle meets the cocycle in an odd number of edges.
            let around = &found.cycles.unwrap()[0].edges;
            let met = |e: &[u32; 2]| cocycles[1][0].simplices.iter().any(|s| s[..] == e[..] || s[..] == [e[1], e[0]]);
            assert_eq!(around.iter().filter(|e| met(e)).count() % 2, 1);
        }
        assert!(Engine::cpu().barcode(&circle, &Options::default().max_dim(0).cocycles(true)).is_err());
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
            let want = Engine::cpu().barcode(DistanceMatrix::from_lower(40, lower).unwrap(), &Options::default()).unwrap();
            let (cloud, _) = PointCloud::from_f64(40, 3, &points, metric).unwrap();
            let got = Engine::cpu().barcode(cloud, &Options { metric, ..Options::default() }).unwrap();
            assert_eq!(got.bars[0].len(), want.bars[0].len());
            for (g, w) in got.bars[0].iter().zip(&want.bars[0]).filter(|(_, w)| w.death.is_finite()) {
                assert!((g.death / w.death - 1.0).abs() < 0.01, "{metric:?}: {} for {}", g.death, w.death);
            }
        }
    }
}
