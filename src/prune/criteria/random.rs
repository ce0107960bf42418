//! Chance.

use super::{LayerScores, Scoring};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Scores that the seed decides.
pub(super) fn score(scoring: &Scoring<'_>, seed: u64) -> Vec<LayerScores> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut of_group = |filters| (0..filters).map(|_| rng.random()).collect();
    scoring.groups.iter().map(|g| LayerScores::new(g.leader(), of_group(g.filters))).collect()
}
