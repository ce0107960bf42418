//! The facade over both engines.

use super::barcode::{Answer, Barcode, EngineInfo, Pairs, Seconds};
use super::cloud::{Cloud, CloudView, PointCloud};
use super::metric::Metric;
use super::task::Task;
use super::{cpu, wgsl};
use crate::error::{Error, Result};
use crate::gpu::{AdapterChoice, Gpu, adapters};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Which engine is asked for.
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

/// What is to be computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Highest dimension, 0 to 3.
    pub max_dim: usize,
    /// Metric for clouds of points; matrices and graphs bring their own lengths.
    pub metric: Metric,
    /// Longest edge that enters, as a distance; `None` is the whole filtration.
    pub threshold: Option<f32>,
    /// Have the device time its passes.
    pub profile: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_dim: 1, metric: Metric::Euclidean, threshold: None, profile: false }
    }
}

impl Options {
    fn check(&self) -> Result<()> {
        if self.max_dim > 3 {
            return Err(Error::input(format!(
                "dimension {} is not available: the engines compute dimensions 0 to 3",
                self.max_dim
            )));
        }
        if self.threshold.is_some_and(|t| t.is_nan() || t < 0.0) {
            return Err(Error::input("the threshold must be a number, 0 or more"));
        }
        if !Metric::OF_POINTS.contains(&self.metric) {
            return Err(Error::input(format!("'{}' is not a metric on points", self.metric.name())));
        }
        Ok(())
    }
}

/// Numbers that are on a device already.
#[derive(Clone, Copy, Debug)]
pub struct DeviceNumbers<'a> {
    /// A storage buffer of f32 of the engine's own device.
    pub buffer: &'a wgpu::Buffer,
    /// First byte, a multiple of the device's `min_storage_buffer_offset_alignment`.
    pub offset: u64,
    /// Number of bytes.
    pub bytes: u64,
}

/// Many clouds in one array of numbers.
#[derive(Clone, Copy, Debug)]
pub enum Batch<'a> {
    /// On the host.
    Host(&'a [f32], &'a [CloudView]),
    /// On the engine's device.
    Device(DeviceNumbers<'a>, &'a [CloudView]),
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
    gpu: Option<Gpu>,
    why: String,
    tuning: wgsl::Tuning,
}

impl Engine {
    /// The native engine.
    pub fn cpu() -> Self {
        Self { gpu: None, why: "asked for".into(), tuning: wgsl::Tuning::default() }
    }

    /// The engine that fits this machine: see [`EngineKind::Auto`].
    ///
    /// # Errors
    /// [`Error::Device`] when there is a GPU that cannot be opened.
    pub fn auto() -> Result<Self> {
        Self::new(EngineKind::Auto, &AdapterChoice::Best)
    }

    /// The engine that is asked for. A named adapter is used even if it is a software one.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] when a GPU engine or a named adapter is asked for and there is none.
    pub fn new(kind: EngineKind, adapter: &AdapterChoice) -> Result<Self> {
        let named = *adapter != AdapterChoice::Best;
        match kind {
            EngineKind::Cpu if named => {
                Err(Error::input("an adapter makes no sense with the cpu engine: drop --adapter, or use --engine gpu"))
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
    pub fn on(gpu: Gpu) -> Self {
        Self { gpu: Some(gpu), why: "asked for".into(), tuning: wgsl::Tuning::default() }
    }

    /// The same engine, with another reason for having been taken.
    #[must_use]
    pub fn because(mut self, why: String) -> Self {
        self.why = why;
        self
    }

    /// Whether `auto` takes a GPU here, and why.
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
    #[doc(hidden)]
    #[must_use]
    pub fn with_tiny_pools(mut self) -> Self {
        self.tuning = wgsl::Tuning {
            columns_per_loop: 1,
            columns_spare: 0,
            list_places: 2,
            graph_edges: 4,
            growth: 0.02,
            batch_bytes: 1 << 18,
            column_bytes: 2048,
        };
        self
    }

    /// Which engine and adapter answer.
    pub fn info(&self) -> EngineInfo {
        match &self.gpu {
            None => EngineInfo { kind: "cpu".into(), adapter: format!("{} threads", rayon::current_num_threads()) },
            Some(gpu) => EngineInfo { kind: "gpu".into(), adapter: gpu.record().name.clone() },
        }
    }

    /// Why this engine was taken.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The device, of the GPU engine.
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
    /// [`Error::Input`] for bad options, [`Error::TooLarge`] for a cloud beyond the engine's limit, [`Error::Device`] when
    /// the device fails.
    pub fn barcodes(&self, clouds: &[Cloud], options: &Options) -> Result<Vec<Barcode>> {
        Ok(self.timed(clouds, options)?.0)
    }

    /// The barcode of one cloud with engine and times.
    ///
    /// # Errors
    /// As [`Engine::barcodes`].
    pub fn answer(&self, cloud: &Cloud, options: &Options) -> Result<Answer> {
        let (mut barcodes, seconds) = self.timed(std::slice::from_ref(cloud), options)?;
        let barcode = barcodes.pop().ok_or_else(|| Error::Internal("an engine returned no barcode".into()))?;
        Ok(Answer { barcode, engine: self.info(), seconds })
    }

    /// [`Engine::barcodes`] with wall seconds by step; of the GPU engine by kernel, when [`Options::profile`] is set and the
    /// adapter has timestamps.
    ///
    /// # Errors
    /// As [`Engine::barcodes`].
    pub fn timed(&self, clouds: &[Cloud], options: &Options) -> Result<(Vec<Barcode>, Seconds)> {
        options.check()?;
        let rescaled: Vec<Option<(Cloud, f32)>> = clouds.iter().map(|c| rescaled(c, options.metric)).collect::<Result<_>>()?;
        let metric = |cloud: &Cloud| match cloud {
            Cloud::Points(_) => options.metric,
            Cloud::Distances(_) => Metric::Precomputed,
            Cloud::Edges(_) => Metric::Sparse,
        };
        let finish =
            |p: Pairs, cloud: &Cloud, unscale: f32| p.into_barcode(cloud.len(), metric(cloud), options.threshold, unscale);
        if rescaled.iter().all(Option::is_none) {
            let (pairs, seconds) = self.pairs(wgsl::Input::Clouds(clouds), options, options.threshold)?;
            return Ok((pairs.into_iter().zip(clouds).map(|(p, c)| finish(p, c, 1.0)).collect(), seconds));
        }
        // Clouds of extreme magnitude are rare: one by one, each with its own threshold.
        let (mut barcodes, mut seconds) = (Vec::new(), Seconds::new());
        for (cloud, rescaled) in clouds.iter().zip(&rescaled) {
            let (scaled, factor) = rescaled.as_ref().map_or((cloud, 1.0), |(c, f)| (c, *f));
            let one = wgsl::Input::Clouds(std::slice::from_ref(scaled));
            let (pairs, took) = self.pairs(one, options, options.threshold.map(|t| t * factor))?;
            barcodes.extend(pairs.into_iter().map(|p| finish(p, cloud, 1.0 / factor)));
            for (name, s) in took {
                match seconds.iter_mut().find(|(n, _)| *n == name) {
                    Some((_, total)) => *total += s,
                    None => seconds.push((name, s)),
                }
            }
        }
        Ok((barcodes, seconds))
    }

    /// The barcodes of many clouds inside one array of numbers, on the host or on this engine's device, in one call.
    ///
    /// Coordinates beyond about 1e18 or below 1e-18 are not rescaled here, as they are in [`Engine::barcodes`].
    ///
    /// # Errors
    /// As [`Engine::barcodes`]; [`Error::Input`] too for a view that ends beyond the numbers, numbers that are not finite, or
    /// device numbers given to the native engine.
    pub fn barcodes_of(&self, batch: Batch<'_>, options: &Options) -> Result<Vec<Barcode>> {
        options.check()?;
        let (input, views, have) = match batch {
            Batch::Host(data, views) => (wgsl::Input::Host(data, views), views, data.len()),
            Batch::Device(d, views) => {
                let input = wgsl::Input::Device { buffer: d.buffer, offset: d.offset, bytes: d.bytes, views };
                (input, views, (d.bytes / 4) as usize)
            }
        };
        if let Some(bad) =
            views.iter().position(|v| v.len == 0 || v.len > u32::MAX as usize || v.end() > have || v.end() > u32::MAX as usize)
        {
            return Err(Error::input(format!("cloud {bad} of the batch is empty or reaches beyond its {have} numbers")));
        }
        if let Batch::Host(data, _) = batch
            && let Some(at) = data.iter().position(|x| !x.is_finite())
        {
            return Err(Error::input(format!("the batch holds {} at place {at}: every number must be finite", data[at])));
        }
        let (pairs, _) = self.pairs(input, options, options.threshold)?;
        let finish = |(p, v): (Pairs, &CloudView)| p.into_barcode(v.len, options.metric, options.threshold, 1.0);
        Ok(pairs.into_iter().zip(views).map(finish).collect())
    }

    fn pairs(&self, input: wgsl::Input<'_>, options: &Options, threshold: Option<f32>) -> Result<(Vec<Pairs>, Seconds)> {
        if let Some(gpu) = &self.gpu {
            let outcome = wgsl::pairs(gpu, input, options.metric, threshold, options.max_dim, self.tuning, options.profile)?;
            return Ok((outcome.pairs, outcome.seconds));
        }
        let sources: Vec<cpu::Source<'_>> = match input {
            wgsl::Input::Clouds(clouds) => clouds.iter().map(cpu::Source::Cloud).collect(),
            wgsl::Input::Host(data, views) => views.iter().map(|v| cpu::Source::View(data, *v)).collect(),
            wgsl::Input::Device { .. } => {
                return Err(Error::input("the numbers are on a GPU: give them to the engine of that GPU"));
            }
        };
        let start = Instant::now();
        let stages = Mutex::new(Seconds::new());
        let task = if options.profile { Task::unwatched().timed(&stages) } else { Task::unwatched() };
        let pairs = cpu::pairs(&sources, options.metric, threshold, options.max_dim, &task)?;
        let mut seconds = stages.into_inner().unwrap_or_else(PoisonError::into_inner);
        seconds.push(("total".into(), start.elapsed().as_secs_f64()));
        Ok((pairs, seconds))
    }
}

/// Coordinates from where on squares may overflow, and below which they may vanish.
const ORDINARY: std::ops::Range<f32> = 1e-12..1e16;

/// The cloud multiplied by a power of two that brings its largest coordinate to the upper end of the ordinary range, and the
/// factor by which its distances grew; `None` for all ordinary data.
///
/// Multiplying by a power of two is exact; what was too small beside the largest coordinate to have a square before still is.
fn rescaled(cloud: &Cloud, metric: Metric) -> Result<Option<(Cloud, f32)>> {
    let Cloud::Points(points) = cloud else { return Ok(None) };
    if !matches!(metric, Metric::Euclidean | Metric::Cosine | Metric::Correlation) {
        return Ok(None);
    }
    let largest = points.data().iter().fold(0.0f32, |m, x| m.max(x.abs()));
    if largest == 0.0 || ORDINARY.contains(&largest) {
        return Ok(None);
    }
    let factor = 2.0f32.powi((ORDINARY.end.log2() as i32 - 1 - largest.log2().floor() as i32).clamp(-120, 120));
    let data = points.data().iter().map(|x| x * factor).collect();
    let scaled = PointCloud::new(points.len(), points.features(), data)?;
    // Angles do not grow.
    Ok(Some((scaled.into(), if metric == Metric::Euclidean { factor } else { 1.0 })))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
