//! The facade over both engines.

use super::barcode::{Answer, Barcode, EngineInfo, Pairs, Seconds};
use super::cloud::{Cloud, CloudView, PointCloud};
use super::metric::Metric;
use super::{cpu, wgsl};
use crate::error::{Error, Result};
use crate::gpu::{AdapterChoice, Gpu, adapters};
use std::borrow::Cow;
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
    /// Highest dimension: 0 or 1.
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
        if self.max_dim > 1 {
            return Err(Error::input(format!(
                "dimension {} is not available: the engines compute dimensions 0 and 1",
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
    /// First byte.
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
                if !use_gpu {
                    return Ok(Self { why, ..Self::cpu() });
                }
                Ok(Self { why, ..Self::on(Gpu::open(adapter)?) })
            }
            _ => Ok(Self::on(Gpu::open(adapter)?)),
        }
    }

    /// The GPU engine on a device that is open already.
    pub fn on(gpu: Gpu) -> Self {
        Self { gpu: Some(gpu), why: "asked for".into(), tuning: wgsl::Tuning::default() }
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
        self.tuning = wgsl::Tuning { columns_per_loop: 1, columns_spare: 0, list_places: 2, block: 64, batch_bytes: 1 << 18 };
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
        let scales: Vec<f32> = clouds.iter().map(|c| power_of_two_scale(c, options.metric)).collect();
        let scaled: Cow<'_, [Cloud]> = if scales.iter().all(|&s| s == 1.0) {
            Cow::Borrowed(clouds)
        } else {
            Cow::Owned(clouds.iter().zip(&scales).map(|(c, &s)| rescaled(c, s)).collect::<Result<_>>()?)
        };
        let (pairs, seconds) = if scales.windows(2).all(|s| s[0] == s[1]) {
            let threshold = options.threshold.map(|t| t * scales.first().copied().unwrap_or(1.0));
            self.pairs(wgsl::Input::Clouds(&scaled), options, threshold)?
        } else {
            // Far apart in magnitude: a threshold means something else to each.
            let mut all = (Vec::new(), Vec::new());
            for (cloud, scale) in scaled.iter().zip(&scales) {
                let one = wgsl::Input::Clouds(std::slice::from_ref(cloud));
                let (pairs, seconds) = self.pairs(one, options, options.threshold.map(|t| t * scale))?;
                all.0.extend(pairs);
                all.1 = seconds;
            }
            all
        };
        let finish = |((p, cloud), scale): ((Pairs, &Cloud), &f32)| {
            let metric = match cloud {
                Cloud::Points(_) => options.metric,
                Cloud::Distances(_) => Metric::Precomputed,
                Cloud::Edges(_) => Metric::Sparse,
            };
            p.into_barcode(cloud.len(), metric, options.threshold, options.max_dim, 1.0 / scale)
        };
        Ok((pairs.into_iter().zip(clouds).zip(&scales).map(finish).collect(), seconds))
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
        if let Some(bad) = views.iter().position(|v| v.len == 0 || v.end() > have || v.end() > u32::MAX as usize) {
            return Err(Error::input(format!("cloud {bad} of the batch is empty or reaches beyond its {have} numbers")));
        }
        if let Batch::Host(data, _) = batch
            && let Some(at) = data.iter().position(|x| !x.is_finite())
        {
            return Err(Error::input(format!("the batch holds {} at place {at}: every number must be finite", data[at])));
        }
        let (pairs, _) = self.pairs(input, options, options.threshold)?;
        let finish = |(p, v): (Pairs, &CloudView)| p.into_barcode(v.len, options.metric, options.threshold, options.max_dim, 1.0);
        Ok(pairs.into_iter().zip(views).map(finish).collect())
    }

    fn pairs(&self, input: wgsl::Input<'_>, options: &Options, threshold: Option<f32>) -> Result<(Vec<Pairs>, Seconds)> {
        if let Some(gpu) = &self.gpu {
            let outcome = wgsl::pairs(gpu, input, options.metric, threshold, options.max_dim, self.tuning, options.profile)?;
            if outcome.finished_on_host > 0 && options.profile {
                eprintln!(
                    "lacuna: {} clouds outgrew their columns' memory and were finished on the host",
                    outcome.finished_on_host
                );
            }
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
        let pairs = cpu::pairs(&sources, options.metric, threshold, options.max_dim)?;
        Ok((pairs, vec![("total".into(), start.elapsed().as_secs_f64())]))
    }
}

/// The power of two that brings coordinates to a size whose squares neither overflow nor vanish; exact, and 1 for
/// all ordinary data.
fn power_of_two_scale(cloud: &Cloud, metric: Metric) -> f32 {
    let Cloud::Points(points) = cloud else { return 1.0 };
    if !matches!(metric, Metric::Euclidean | Metric::Cosine) {
        return 1.0;
    }
    let largest = points.data().iter().fold(0.0f32, |m, x| m.max(x.abs()));
    if largest == 0.0 || (1e-12..1e16).contains(&largest) {
        return 1.0;
    }
    (2.0f32).powi(-(largest.log2().floor() as i32).clamp(-120, 120))
}

fn rescaled(cloud: &Cloud, scale: f32) -> Result<Cloud> {
    match cloud {
        Cloud::Points(p) => {
            let data = p.data().iter().map(|x| x * scale).collect();
            Ok(PointCloud::new(p.len(), p.features(), data)?.into())
        }
        other => Ok(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extreme_coordinates_neither_overflow_nor_vanish() {
        let square = |s: f32| PointCloud::new(4, 2, vec![0., 0., s, 0., s, s, 0., s]).unwrap().into();
        for s in [1e-30f32, 1e-18, 1.0, 1e18, 1e30] {
            let b = Engine::cpu().barcode(&square(s), &Options::default()).unwrap();
            assert_eq!(b.bars[1].len(), 1, "at {s}");
            assert!((b.bars[1][0].birth / s - 1.0).abs() < 1e-5 && (b.bars[1][0].death / s - 2f32.sqrt()).abs() < 1e-5);
        }
    }

    #[test]
    fn options_are_checked() {
        let cloud: Cloud = PointCloud::new(1, 1, vec![0.0]).unwrap().into();
        let bad = [
            Options { max_dim: 2, ..Options::default() },
            Options { threshold: Some(-1.0), ..Options::default() },
            Options { metric: Metric::Sparse, ..Options::default() },
        ];
        for options in bad {
            assert_eq!(Engine::cpu().barcode(&cloud, &options).unwrap_err().exit_code(), 2);
        }
        assert!(Engine::cpu().barcodes(&[], &Options::default()).unwrap().is_empty());
    }
}
