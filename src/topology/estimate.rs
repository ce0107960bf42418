//! What a computation will take, before it is begun.

use super::cpu;
use super::engine::Engine;
#[cfg(feature = "gpu")]
use super::gpu;
use super::input::Input;
use super::options::Options;
use super::source::Source;
use crate::clock::Instant;
use crate::error::Result;
use crate::progress::Unwatched;

/// How much memory and time a barcode will take.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Estimate {
    /// Number of points, after sampling.
    pub points: usize,
    /// Bytes at the peak on the engine's device, at most where there is a table of all pairs, else
    /// about; of the GPU engine before its columns, which are a small part.
    pub bytes: u64,
    /// Bytes that are free where they are needed, if the system says.
    pub free: Option<u64>,
    /// Whether the engine will take it.
    pub fits: bool,
    /// Why not.
    pub limit: Option<String>,
    /// Seconds, and the least and the most that they are likely to be; nothing where it does not
    /// fit.
    pub seconds: Option<[f64; 3]>,
    /// Points of the largest sample that was timed.
    pub timed: usize,
    /// The power of the number of points by which the time beyond that for the distances grew
    /// between the three largest samples.
    pub exponent: f64,
}

/// Points of the smallest sample.
const SMALLEST: usize = 256;
/// Points of the largest.
const LARGEST: usize = 4096;
/// A sample that takes longer than this is the last.
const LONG: f64 = 0.12;
/// Times that every sample is computed; the shortest counts, since other work on the machine only
/// ever adds. The first time also pays for what is set up once.
const REPEATS: usize = 5;
/// Seconds after which a sample is not computed again.
const ENOUGH: f64 = 0.3;
/// Every table is as large as the square of the number of points, and reading it is part of the
/// work.
const LEAST_EXPONENT: f64 = 2.0;
/// Points of the smallest and the largest sample, and the least exponent, where no table is needed.
const OF_LISTS: (usize, usize, f64) = (2048, 1 << 17, 1.0);
/// What was seen on the hardest clouds of the suite.
const MOST_EXPONENT: f64 = 3.0;
/// By what the truth may differ from the estimate.
const WITHIN: f64 = 2.0;

/// Seconds of a sample.
#[derive(Clone, Copy)]
struct Timed {
    points: usize,
    /// For the distances, which grow as the square of the number of points.
    distances: f64,
    /// For all else.
    rest: f64,
}

impl Engine {
    /// Times samples of a cloud, each of twice the points of the one before, and goes on from the
    /// largest three. The time for distances grows as the square of the number of points, that for
    /// the rest as a power between 2 and 3, which the samples say; where no table is needed all of
    /// it grows as a power between 1 and 3. The bytes are counted, not
    /// measured, and are a bound. Takes one or two seconds, less where clouds are small.
    ///
    /// # Errors
    /// As [`Engine::each`], on the samples; [`crate::Error::Input`] too for any other number of
    /// clouds, and for numbers on a device.
    pub fn estimate<'a>(&self, input: impl Into<Input<'a>>, options: &Options) -> Result<Estimate> {
        options.check()?;
        let (input, _) = input.into().narrow(options.metric)?;
        input.check_one()?;
        let cloud = input.sources()?[0];
        cloud.largest()?;
        let points = options.max_points.map_or(cloud.len(), |most| most.min(cloud.len()));
        let lists = cpu::needs_no_table(&cloud, options);
        let native = if lists { cpu::bytes_of_lists(&cloud, points) } else { cpu::bytes(points, options.max_dim) };
        // What names simplices is computed natively.
        let device = if options.names_simplices() { None } else { self.on_device(points, options.max_dim, lists) };
        let device = device.filter(|(_, limit)| !lists || limit.is_none());
        let lists = lists && device.is_none();
        let (bytes, limit, free) = match device {
            // Above dimension 1 the host has its part.
            Some((bytes, limit)) => (bytes + if options.max_dim > 1 { native } else { 0 }, limit, None),
            None => {
                let free = crate::memory::available();
                let limit = match free {
                    Some(free) if lists && native > free => {
                        Some(format!("lists of neighbours take {native} bytes, and {free} are free"))
                    }
                    _ if lists => None,
                    _ => cpu::check_size(points, options.max_dim).err().map(|e| e.to_string()),
                };
                (native, limit, free)
            }
        };
        let mut found =
            Estimate { points, bytes, free, fits: limit.is_none(), limit, seconds: None, timed: 0, exponent: LEAST_EXPONENT };
        if !found.fits {
            return Ok(found);
        }
        let mut samples: Vec<Timed> = Vec::new();
        let (smallest, largest, least_exponent) = if lists { OF_LISTS } else { (SMALLEST, LARGEST, LEAST_EXPONENT) };
        found.exponent = least_exponent;
        let mut size = smallest.min(points);
        loop {
            let timed = self.timed_sample(&cloud, size, options)?;
            samples.push(timed);
            if size == points || 2 * size > largest || timed.distances + timed.rest > LONG {
                break;
            }
            size = (2 * size).min(points);
        }
        let Some(&most) = samples.last() else { return Ok(found) };
        found.timed = most.points;
        let total = most.distances + most.rest;
        if most.points == points {
            found.seconds = Some([total, total / WITHIN, total * WITHIN]);
            return Ok(found);
        }
        let last = &samples[samples.len().saturating_sub(3)..];
        if last.len() > 1 {
            found.exponent = growth(last).clamp(least_exponent, MOST_EXPONENT);
        }
        let times = points as f64 / most.points as f64;
        let seconds = most.distances * times.powi(2) + most.rest * times.powf(found.exponent);
        found.seconds = Some([seconds, seconds / WITHIN, seconds * WITHIN]);
        Ok(found)
    }

    /// Bytes on the device of the GPU engine, and why a cloud is beyond it, if it is; nothing where
    /// lists take it.
    #[cfg(feature = "gpu")]
    fn on_device(&self, points: usize, max_dim: usize, lists: bool) -> Option<(u64, Option<String>)> {
        let record = self.gpu()?.record();
        if lists && self.leaves_to_lists(points) {
            return None;
        }
        let limit =
            (points > record.max_points).then(|| format!("{} takes clouds of up to {} points", record.name, record.max_points));
        Some((gpu::bytes(points, max_dim), limit))
    }

    #[cfg(not(feature = "gpu"))]
    fn on_device(&self, _points: usize, _max_dim: usize, _lists: bool) -> Option<(u64, Option<String>)> {
        None
    }

    /// The shortest of some runs of a sample.
    fn timed_sample(&self, cloud: &Source<'_>, most: usize, options: &Options) -> Result<Timed> {
        let sample = cloud.every_so_many(most)?;
        let options = Options { max_points: None, profile: true, k: options.k.min(sample.len()), ..*options };
        let mut best: Option<Timed> = None;
        let begin = Instant::now();
        for _ in 0..REPEATS {
            if best.is_some() && begin.elapsed().as_secs_f64() > ENOUGH {
                break;
            }
            let start = Instant::now();
            let stages = self.answer(&sample, &options, &mut Unwatched)?.seconds;
            let total = start.elapsed().as_secs_f64().max(1e-6);
            let distances =
                stages.iter().filter(|(name, _)| name.starts_with("distances")).map(|(_, s)| s).sum::<f64>().min(total);
            if best.is_none_or(|b| total < b.distances + b.rest) {
                best = Some(Timed { points: sample.len(), distances, rest: total - distances });
            }
        }
        Ok(best.unwrap_or(Timed { points: most, distances: 0.0, rest: 0.0 }))
    }
}

/// The power of the number of points by which the rest grows: the slope of a line through its
/// logarithms.
fn growth(samples: &[Timed]) -> f64 {
    let at: Vec<(f64, f64)> = samples.iter().map(|s| ((s.points as f64).ln(), s.rest.max(1e-9).ln())).collect();
    let n = at.len() as f64;
    let (x, y) = at.iter().fold((0.0, 0.0), |sum, p| (sum.0 + p.0 / n, sum.1 + p.1 / n));
    let (above, below) = at.iter().fold((0.0, 0.0), |sum, p| (sum.0 + (p.0 - x) * (p.1 - y), sum.1 + (p.0 - x) * (p.0 - x)));
    above / below
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Cloud, PointCloud};

    fn cloud(n: usize) -> Cloud {
        let at = |i: usize| ((i * 7919 % 10_007) as f32 * 0.37).sin();
        PointCloud::new(n, 3, (0..3 * n).map(at).collect()).unwrap().into()
    }

    #[test]
    fn what_does_not_fit_is_said_and_not_timed() {
        let voids = Options::default().max_dim(2);
        let found = Engine::cpu().estimate(cloud(70_000), &voids).unwrap();
        assert!(!found.fits && found.seconds.is_none() && found.limit.unwrap().contains("65535"));
        let deep = Options { max_dim: 3, ..Options::default() };
        assert!(!Engine::cpu().estimate(cloud(5000), &deep).unwrap().fits);
    }

    #[test]
    fn what_needs_no_table_grows_slower() {
        let found = Engine::cpu().estimate(cloud(70_000), &Options::default()).unwrap();
        assert!(found.fits && found.seconds.is_some() && found.bytes < 4 * 70_000 * 70_000 / 10);
        assert!(found.timed >= 2048 && (1.0..=3.0).contains(&found.exponent));
    }

    #[test]
    fn growth_is_never_below_the_square() {
        let chebyshev = Options::default().metric(crate::topology::Metric::Chebyshev);
        let found = Engine::cpu().estimate(cloud(6000), &chebyshev).unwrap();
        let [seconds, least, most] = found.seconds.unwrap();
        assert!(found.fits && found.timed >= 256 && found.timed < 6000);
        assert!((2.0..=3.0).contains(&found.exponent) && least < seconds && seconds < most);
        let small = Engine::cpu().estimate(cloud(100), &Options::default()).unwrap();
        assert_eq!((small.timed, small.points), (100, 100));
    }
}
