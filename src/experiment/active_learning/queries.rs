//! Which samples of a pool to ask for labels.
//!
//! The version space are the hypotheses that agree with all labels so far; here K networks that
//! were trained until they do stand for it. A query is good if, whatever its answer, little of the
//! version space is left: little mass, or a small diameter, where the distance of two hypotheses is
//! the share of samples that they answer differently (Tosh and Dasgupta, "Diameter-based active
//! learning", arXiv 1702.08553; Liu, Chiotellis, Triebel and Cremers, "Effective version space
//! reduction for CNNs", arXiv 2006.12456). Of the latter only the abstract is quoted: the formulas
//! are our reading.

use crate::error::{Error, Result};
use rand::RngExt;
use rand::rngs::StdRng;
use rayon::prelude::*;

/// How queries are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Query {
    /// By chance, the control.
    Random,
    /// The largest entropy of the mean of the networks' probabilities.
    Entropy,
    /// The smallest share of networks that may be left: `max over y of w_y`, where `w_y` is the
    /// share that answers y. This is the largest variation ratio.
    PriorMass,
    /// `max over y of w_y^2 diam(S_y)`, where `S_y` are the networks that answer y, and `diam` is
    /// the mean distance of two of them.
    Diameter,
    /// `max over y of w_y gv(S_y)`, where `gv` is the mean distance of a network to the vote of
    /// all: Gibbs-vote disagreement.
    GibbsVote,
    /// Ours: the sample that is farthest from all labelled ones, in the space of a hidden layer's
    /// activations. So chosen samples hold the components of the pool apart at the largest scale.
    Coverage,
    /// The same in the space of the samples themselves.
    PixelCoverage,
}

impl Query {
    /// All of them by their names; chance is the first.
    pub const ALL: [(&'static str, Query); 7] = [
        ("random", Query::Random),
        ("entropy", Query::Entropy),
        ("prior-mass", Query::PriorMass),
        ("diameter", Query::Diameter),
        ("gibbs-vote", Query::GibbsVote),
        ("coverage", Query::Coverage),
        ("pixel-coverage", Query::PixelCoverage),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, q)| *q == self).map_or("", |(name, _)| name)
    }
}

impl std::str::FromStr for Query {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, query)| *query);
        known.ok_or_else(|| Error::unknown("query", name, &Self::ALL.map(|(n, _)| n)))
    }
}

/// What some networks answer to all samples of a pool.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Classes there are.
    pub classes: usize,
    /// For every network its answers, sample by sample.
    pub of: Vec<Vec<u8>>,
    /// The mean of the networks' probabilities, `[samples, classes]`.
    pub mean: Vec<f32>,
}

/// The class that most of some networks give a sample; of equals the first.
fn vote(counts: &[u16]) -> u8 {
    (0..counts.len()).max_by_key(|&y| (counts[y], usize::MAX - y)).unwrap_or(0) as u8
}

impl Answers {
    fn samples(&self) -> usize {
        self.of.first().map_or(0, Vec::len)
    }

    /// The share of some samples that two networks answer differently, for all pairs.
    pub fn distances(&self, at: &[usize]) -> Vec<Vec<f32>> {
        let apart = |a: &Vec<u8>, b: &Vec<u8>| at.iter().filter(|&&i| a[i] != b[i]).count() as f32 / at.len().max(1) as f32;
        self.of.iter().map(|a| self.of.iter().map(|b| apart(a, b)).collect()).collect()
    }

    /// What most networks answer.
    pub fn votes(&self) -> Vec<u8> {
        let of_sample = |i: usize| {
            let mut counts = vec![0u16; self.classes];
            self.of.iter().for_each(|answers| counts[usize::from(answers[i])] += 1);
            vote(&counts)
        };
        (0..self.samples()).map(of_sample).collect()
    }

    /// The networks that give a sample each class.
    fn parts(&self, sample: usize) -> Vec<Vec<usize>> {
        let mut parts = vec![Vec::new(); self.classes];
        self.of.iter().enumerate().for_each(|(k, answers)| parts[usize::from(answers[sample])].push(k));
        parts
    }

    /// The mean distance of some networks to their vote, over some samples.
    fn gibbs_vote(&self, networks: &[usize], at: &[usize]) -> f32 {
        let mut counts = vec![0u16; self.classes];
        let mut agree = 0usize;
        for &i in at {
            counts.fill(0);
            networks.iter().for_each(|&k| counts[usize::from(self.of[k][i])] += 1);
            agree += usize::from(counts.iter().copied().max().unwrap_or(0));
        }
        1.0 - agree as f32 / (networks.len() * at.len()).max(1) as f32
    }

    /// How bad a query is: what may be left of the version space, or minus the entropy.
    fn left(&self, query: Query, sample: usize, distances: &[Vec<f32>], at: &[usize]) -> f32 {
        let networks = self.of.len() as f32;
        let worst =
            |f: &dyn Fn(&[usize]) -> f32| self.parts(sample).iter().filter(|s| !s.is_empty()).map(|s| f(s)).fold(0.0, f32::max);
        match query {
            Query::PriorMass => worst(&|s| s.len() as f32 / networks),
            Query::Diameter => worst(&|s| {
                let sum: f32 = s.iter().flat_map(|&a| s.iter().map(move |&b| distances[a][b])).sum();
                // The mean over all pairs, times the square of the share.
                sum / (networks * networks)
            }),
            Query::GibbsVote => worst(&|s| s.len() as f32 / networks * self.gibbs_vote(s, at)),
            _ => {
                let row = &self.mean[sample * self.classes..][..self.classes];
                row.iter().filter(|p| **p > 0.0).map(|p| p * p.ln()).sum()
            }
        }
    }

    /// The `count` best of the candidates; equally good ones in an order by chance. `at` are the
    /// samples that stand for the pool where distances are measured.
    pub fn best(&self, query: Query, candidates: &[usize], count: usize, at: &[usize], rng: &mut StdRng) -> Vec<usize> {
        let distances = if query == Query::Diameter { self.distances(at) } else { Vec::new() };
        let mut scored: Vec<(f32, u64, usize)> = candidates.iter().map(|&c| (0.0, rng.random(), c)).collect();
        if query != Query::Random {
            scored.par_iter_mut().for_each(|s| s.0 = self.left(query, s.2, &distances, at));
        }
        scored.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        scored.into_iter().take(count).map(|s| s.2).collect()
    }
}

/// Candidates, each farther from those that were labelled or chosen before than all others are:
/// farthest-point sampling that goes on. `rows` has `width` numbers for each sample.
pub fn farthest(rows: &[f32], width: usize, labelled: &[usize], candidates: &[usize], count: usize) -> Vec<usize> {
    let row = |i: usize| &rows[i * width..][..width];
    let apart = |a: usize, b: usize| row(a).iter().zip(row(b)).map(|(x, y)| (x - y) * (x - y)).sum::<f32>();
    let mut near: Vec<f32> =
        candidates.par_iter().map(|&c| labelled.iter().map(|&l| apart(c, l)).fold(f32::INFINITY, f32::min)).collect();
    let mut chosen = Vec::new();
    while chosen.len() < count.min(candidates.len()) {
        let next = (0..near.len()).max_by(|&a, &b| near[a].total_cmp(&near[b]).then(b.cmp(&a))).unwrap_or(0);
        let point = candidates[next];
        chosen.push(point);
        near.par_iter_mut().zip(candidates).for_each(|(d, &c)| *d = d.min(apart(c, point)));
        near[next] = f32::NEG_INFINITY;
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// Four networks, five samples, two classes.
    fn answers() -> Answers {
        let of = vec![vec![0, 0, 0, 1, 1], vec![0, 0, 1, 1, 0], vec![0, 1, 1, 1, 1], vec![0, 1, 0, 1, 0]];
        Answers { classes: 2, of, mean: vec![1.0, 0.0, 0.5, 0.5, 0.6, 0.4, 0.1, 0.9, 0.4, 0.6] }
    }

    #[test]
    fn figures_of_a_version_space_by_hand() {
        let a = answers();
        let all = [0, 1, 2, 3, 4];
        let d = a.distances(&all);
        assert_eq!((d[0][1], d[0][2], d[0][3], d[1][1]), (0.4, 0.4, 0.4, 0.0));
        // Of two each the first class wins.
        assert_eq!(a.votes(), [0, 0, 0, 1, 0]);
        assert!((a.gibbs_vote(&[0, 1, 2, 3], &all) - 6.0 / 20.0).abs() < 1e-6);
        assert_eq!(a.gibbs_vote(&[2], &all), 0.0);
        // Sample 1 divides the networks into {0, 1} and {2, 3}, 0.4 and 0.4 apart.
        assert_eq!(a.left(Query::PriorMass, 1, &d, &all), 0.5);
        assert_eq!(a.left(Query::PriorMass, 0, &d, &all), 1.0);
        assert!((a.left(Query::Diameter, 1, &d, &all) - 2.0 * 0.4 / 16.0).abs() < 1e-6);
        assert!((a.left(Query::GibbsVote, 1, &d, &all) - 0.5 * 0.2).abs() < 1e-6);
        assert!((a.left(Query::Entropy, 1, &d, &all) + std::f32::consts::LN_2).abs() < 1e-6);
    }

    #[test]
    fn the_best_queries_divide_the_networks() {
        let a = answers();
        let mut rng = StdRng::seed_from_u64(0);
        let all = [0, 1, 2, 3, 4];
        for query in [Query::PriorMass, Query::Diameter, Query::GibbsVote, Query::Entropy] {
            let best = a.best(query, &all, 3, &all, &mut rng);
            let mut sorted = best.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [1, 2, 4], "{query:?}");
        }
        let mut seen = [false; 5];
        (0..50).for_each(|_| seen[a.best(Query::Random, &all, 1, &all, &mut rng)[0]] = true);
        assert_eq!(seen, [true; 5]);
        assert_eq!(a.best(Query::Random, &[3], 9, &all, &mut rng), [3]);
    }

    #[test]
    fn the_farthest_of_a_line() {
        let rows = [0.0f32, 1.0, 2.0, 10.0, 11.0, 5.0];
        assert_eq!(farthest(&rows, 1, &[0], &[1, 2, 3, 4, 5], 3), [4, 5, 2]);
        assert_eq!(farthest(&rows, 1, &[0, 4], &[1, 3], 9), [1, 3]);
    }

    #[test]
    fn names_come_back() {
        for (name, query) in Query::ALL {
            assert_eq!((name.parse::<Query>().unwrap(), query.name()), (query, name));
        }
        assert!("entropi".parse::<Query>().unwrap_err().to_string().contains("did you mean 'entropy'"));
    }
}
