//! Filters whose barcode is that of all filters, found by a genetic search.
//!
//! The Topological Pruner (Perera, MSc thesis, University of Moratuwa, 2022) lets a genetic
//! algorithm with a topological fitness choose the filters of each layer of a trained network.
//! Encoding, fitness and numbers are not public; this is our reading. A layer's filters are points:
//! their weights, or the mean maps that they make of samples. A chromosome is a set of filters of
//! the size that is to stay. Its fitness is minus the distance between the barcode of the kept
//! points and that of all of them: the sum over dimensions 0 and 1 of the Wasserstein distances of
//! order 2. The population is one batch of distance matrices for the engine. Parents win
//! tournaments of three; a child takes each filter from either parent and is brought to the right
//! size by chance; some of its filters are swapped; the best two survive.

use super::refitted::Refitted;
use super::scores;
use crate::error::{Error, Result};
use crate::prune::scoring::{LayerScores, Scoring};
use crate::prune::weights::{distances, means_of_maps, weights};
use crate::topology::{Barcode, Cloud, DistanceMatrix, Engine, Options, wasserstein};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// What a filter is as a point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilterPoints {
    /// Its weights.
    #[default]
    Weights,
    /// Its weights, brought to length 1.
    Directions,
    /// Its mean map over so many samples.
    Maps {
        /// How many.
        samples: usize,
    },
    /// Not the filters are points but so many samples, by what the layers that read the filters
    /// give for them, fitted anew to those that stay: the fitness is asked after compensation.
    Refitted {
        /// How many.
        samples: usize,
    },
}

impl FilterPoints {
    /// Samples whose barcode the search looks at after refitting, unless told otherwise.
    pub const REFITTED: usize = 128;
}

/// How the search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopologicalOptions {
    /// What filters are as points.
    pub points: FilterPoints,
    /// Chromosomes.
    pub population: usize,
    /// Generations per layer.
    pub generations: usize,
    /// Highest dimension of the barcodes, 0 or 1.
    pub max_dim: usize,
    /// Decides everything by chance.
    pub seed: u64,
}

impl Default for TopologicalOptions {
    fn default() -> Self {
        Self { points: FilterPoints::Weights, population: 32, generations: 30, max_dim: 1, seed: 0 }
    }
}

/// Chromosomes that pass unchanged into the next generation.
const ELITE: usize = 2;
/// Chromosomes that a parent has to beat.
const TOURNAMENT: usize = 3;
/// Share of the kept filters that a mutation swaps, at most.
const SWAPPED: f64 = 0.1;

impl TopologicalOptions {
    fn check(&self) -> Result<()> {
        if !(ELITE + 2..=10_000).contains(&self.population) || self.generations == 0 || self.max_dim > 1 {
            return Err(Error::input(format!(
                "the genetic search needs a population of {} to 10000, a generation, and dimension 0 or 1",
                ELITE + 2
            )));
        }
        Ok(())
    }
}

/// The filters that the search keeps, group by group.
pub(in crate::prune) fn topological(scoring: &mut Scoring<'_>, options: &TopologicalOptions) -> Result<Vec<LayerScores>> {
    options.check()?;
    let mut found = Vec::new();
    let maps = match options.points {
        FilterPoints::Maps { samples } => Some(means_of_maps(scoring, samples, options.seed)?),
        _ => None,
    };
    let mut refitted = match options.points {
        FilterPoints::Refitted { samples } => super::refitted::read(scoring, samples, options.seed)?.into_iter(),
        _ => Vec::new().into_iter(),
    };
    let total = (scoring.groups.len() * options.generations) as u64;
    for (g, group) in scoring.groups.iter().enumerate() {
        let layer = match refitted.next() {
            Some(readers) => Topology::of_samples(readers, scoring.stays[g], options, &scoring.compute.engine)?,
            None => {
                let (rows, width) = match &maps {
                    Some(maps) => maps[g].clone(),
                    None => {
                        let rows = weights(scoring.net, group);
                        let width = rows.dims()[1];
                        (crate::nn::bridge::read(rows)?, width)
                    }
                };
                let rows = if options.points == FilterPoints::Directions { directions(rows, width) } else { rows };
                Topology::new(&rows, width, scoring.stays[g], options, &scoring.compute.engine)?
            }
        };
        let mut search = layer.begin(options.seed.wrapping_add(g as u64));
        for generation in 0..options.generations {
            if scoring.watch.stopped() {
                return Err(Error::Interrupted("stopped while searching".into()));
            }
            layer.generation(&mut search)?;
            scoring.watch.at("generations", (g * options.generations + generation) as u64 + 1, total);
        }
        let population: Vec<&[bool]> = search.iter().map(|c| c.kept.as_slice()).collect();
        found.push(LayerScores {
            layer: group.leader(),
            scores: scores(&search[0].kept, &population),
            scale: None,
            distance: Some(-search[0].fitness),
        });
    }
    Ok(found)
}

fn directions(mut rows: Vec<f32>, width: usize) -> Vec<f32> {
    for row in rows.chunks_mut(width) {
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        row.iter_mut().for_each(|x| *x /= length.max(f32::MIN_POSITIVE));
    }
    rows
}

/// A set of filters with its fitness.
#[derive(Clone, Debug)]
pub struct Chromosome {
    /// Whether each filter stays.
    pub kept: Vec<bool>,
    /// Minus the distance between the barcodes.
    pub fitness: f64,
}

/// What is a point.
#[derive(Debug)]
enum Points {
    /// A filter: distances between them, the strict lower triangle.
    Filters(Vec<f32>),
    /// A sample.
    Samples(Refitted),
}

/// One layer's filters as points, or samples by what those filters are read for, and the barcode
/// with all filters.
#[derive(Debug)]
pub struct Topology<'a> {
    filters: usize,
    stays: usize,
    points: Points,
    whole: Barcode,
    wanted: Options,
    population: usize,
    engine: &'a Engine,
}

impl<'a> Topology<'a> {
    /// From one row of `width` numbers per filter; `stays` of them are to be kept.
    ///
    /// # Errors
    /// Whatever the engine says of the points.
    pub fn new(rows: &[f32], width: usize, stays: usize, options: &TopologicalOptions, engine: &'a Engine) -> Result<Self> {
        options.check()?;
        let distances = distances(rows, width);
        let filters = rows.len() / width.max(1);
        let wanted = Options::default().max_dim(options.max_dim);
        let all: Cloud = DistanceMatrix::from_lower(filters, distances.clone())?.into();
        let whole = engine.barcode(&all, &wanted)?;
        let points = Points::Filters(distances);
        Ok(Self { filters, stays, points, whole, wanted, population: options.population, engine })
    }

    /// From what the readers of a group read.
    fn of_samples(readers: Refitted, stays: usize, options: &TopologicalOptions, engine: &'a Engine) -> Result<Self> {
        options.check()?;
        let filters = readers.filters();
        let wanted = Options::default().max_dim(options.max_dim);
        let whole = engine.barcode(&readers.cloud(&vec![true; filters])?, &wanted)?;
        let points = Points::Samples(readers);
        Ok(Self { filters, stays, points, whole, wanted, population: options.population, engine })
    }

    /// A population by chance, the best first.
    pub fn begin(&self, seed: u64) -> Vec<Chromosome> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut chance = || {
            let mut order: Vec<usize> = (0..self.filters).collect();
            order.shuffle(&mut rng);
            let mut kept = vec![false; self.filters];
            order[..self.stays].iter().for_each(|&f| kept[f] = true);
            Chromosome { kept, fitness: f64::NAN }
        };
        (0..self.population).map(|_| chance()).collect()
    }

    /// One generation: fitness of all that have none, then selection, crossover and mutation; the
    /// best comes first.
    ///
    /// # Errors
    /// Whatever the engine says.
    pub fn generation(&self, population: &mut Vec<Chromosome>) -> Result<()> {
        self.rate(population)?;
        // What has happened decides by chance what comes: the fitness of all so far is the seed.
        let seed = population.iter().fold(self.filters as u64, |h, c| h.rotate_left(7).wrapping_add(c.fitness.to_bits()));
        let mut rng = StdRng::seed_from_u64(seed);
        let mut next: Vec<Chromosome> = population[..ELITE].to_vec();
        while next.len() < population.len() {
            let mut parent = || {
                let entrants = (0..TOURNAMENT).map(|_| rng.random_range(0..population.len()));
                &population[entrants.min().unwrap_or(0)].kept
            };
            let (a, b) = (parent(), parent());
            let mut kept: Vec<bool> = a.iter().zip(b).map(|(&x, &y)| if rng.random_bool(0.5) { x } else { y }).collect();
            self.repair(&mut kept, &mut rng);
            self.mutate(&mut kept, &mut rng);
            next.push(Chromosome { kept, fitness: f64::NAN });
        }
        *population = next;
        self.rate(population)
    }

    /// Brings a set to the right size by chance.
    fn repair(&self, kept: &mut [bool], rng: &mut StdRng) {
        let have = kept.iter().filter(|k| **k).count();
        let surplus = have > self.stays;
        let mut change: Vec<usize> = (0..self.filters).filter(|&f| kept[f] == surplus).collect();
        change.shuffle(rng);
        change[..have.abs_diff(self.stays)].iter().for_each(|&f| kept[f] = !surplus);
    }

    /// Swaps some filters that stay for some that go.
    fn mutate(&self, kept: &mut [bool], rng: &mut StdRng) {
        let most = ((self.stays as f64 * SWAPPED) as usize).max(1).min(self.filters - self.stays);
        let swaps = rng.random_range(0..=most);
        for _ in 0..swaps {
            let pick = |rng: &mut StdRng, of: bool| {
                let some: Vec<usize> = (0..self.filters).filter(|&f| kept[f] == of).collect();
                some[rng.random_range(0..some.len())]
            };
            let (goes, comes) = (pick(rng, true), pick(rng, false));
            (kept[goes], kept[comes]) = (false, true);
        }
    }

    /// Gives fitness to those that have none, all in one batch, and sorts, the best first.
    fn rate(&self, population: &mut [Chromosome]) -> Result<()> {
        let new: Vec<usize> = (0..population.len()).filter(|&i| population[i].fitness.is_nan()).collect();
        let clouds: Vec<Cloud> = new.par_iter().map(|&i| self.of_kept(&population[i].kept)).collect::<Result<_>>()?;
        let barcodes = self.engine.barcodes(&clouds, &self.wanted)?;
        let distance = |b: &Barcode| b.bars.iter().zip(&self.whole.bars).map(|(x, y)| wasserstein(x, y, 2.0)).sum::<f64>();
        let fitness: Vec<f64> = barcodes.par_iter().map(|b| -distance(b)).collect();
        for (i, fitness) in new.into_iter().zip(fitness) {
            population[i].fitness = fitness;
        }
        population.sort_by(|a, b| b.fitness.total_cmp(&a.fitness));
        Ok(())
    }

    fn of_kept(&self, kept: &[bool]) -> Result<Cloud> {
        let distances = match &self.points {
            Points::Filters(distances) => distances,
            Points::Samples(readers) => return readers.cloud(kept),
        };
        let which: Vec<usize> = (0..self.filters).filter(|&f| kept[f]).collect();
        let row = |i: usize| &distances[i * i.saturating_sub(1) / 2..];
        let lower = which.iter().enumerate().flat_map(|(at, &i)| which[..at].iter().map(move |&j| row(i)[j])).collect();
        Ok(DistanceMatrix::from_lower(which.len(), lower)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twelve filters in three heaps and one far off: the best four are one of each, and the search
    /// finds them.
    #[test]
    fn one_of_each_heap_is_kept() {
        let engine = Engine::cpu();
        let mut rows = Vec::new();
        for i in 0..13 {
            let heap = if i == 12 { 3.0 } else { (i % 3) as f32 };
            rows.extend([heap * 10.0 * (heap + 1.0) + 0.01 * (i / 3) as f32, heap]);
        }
        let options = TopologicalOptions { population: 16, ..TopologicalOptions::default() };
        let layer = Topology::new(&rows, 2, 4, &options, &engine).unwrap();
        let mut population = layer.begin(1);
        let mut best = Vec::new();
        for _ in 0..20 {
            layer.generation(&mut population).unwrap();
            assert!(population.iter().all(|c| c.kept.iter().filter(|k| **k).count() == 4));
            best.push(population[0].fitness);
        }
        assert!(best.is_sorted(), "the best survives: {best:?}");
        let kept: Vec<usize> = (0..13).filter(|&f| population[0].kept[f]).collect();
        let mut heaps: Vec<usize> = kept.iter().map(|&f| if f == 12 { 3 } else { f % 3 }).collect();
        heaps.sort_unstable();
        assert_eq!(heaps, [0, 1, 2, 3]);
        // The fitness is what one computes by hand.
        let points = |which: &[usize]| {
            let rows = which.iter().flat_map(|&f| rows[2 * f..2 * f + 2].to_vec()).collect();
            engine.barcode(crate::topology::PointCloud::new(which.len(), 2, rows).unwrap(), &Options::default()).unwrap()
        };
        let (part, all) = (points(&kept), points(&(0..13).collect::<Vec<_>>()));
        let want: f64 = (0..2).map(|d| wasserstein(&part.bars[d], &all.bars[d], 2.0)).sum();
        assert!((population[0].fitness + want).abs() < 1e-4, "{} {want}", population[0].fitness);
        assert!(Topology::new(&rows, 2, 4, &TopologicalOptions { population: 3, ..options }, &engine).is_err());
    }
}
