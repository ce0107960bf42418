//! Chance.

use super::LayerScores;
use crate::nn::{Layer, Net};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Scores that the seed decides.
pub(super) fn score(net: &Net, seed: u64) -> Vec<LayerScores> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut found = Vec::new();
    for (layer, _) in net.arch.prunable() {
        if let Layer::Conv { output, .. } = net.arch.layers[layer] {
            found.push(LayerScores { layer, scores: (0..output).map(|_| rng.random()).collect(), scale: None });
        }
    }
    found
}
