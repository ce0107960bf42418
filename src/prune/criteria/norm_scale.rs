//! The scale of the batch norm behind a filter.
//!
//! Liu et al. ("Learning efficient convolutional networks through network slimming", arXiv
//! 1708.06519) train it towards zero by an L1 term; Mehta, Kim and Theobalt (arXiv 1811.12495)
//! found that adaptive optimisers with L2 regularisation do so by themselves and remove filters
//! whose scale is below 1e-3.

use super::{LayerScores, Scoring};
use crate::error::{Error, Result};
use crate::nn::bridge;

/// Mean absolute scale of each filter's norms.
pub(super) fn score(scoring: &Scoring<'_>) -> Result<Vec<LayerScores>> {
    let net = scoring.net;
    scoring.by_group(|group| {
        if group.norms.is_empty() {
            return Err(Error::input(format!(
                "layer {} of {} has no batch norm: bn-scale is for networks that have them",
                group.leader(),
                net.arch.name
            )));
        }
        let mut sums = vec![0.0; group.filters];
        for &at in &group.norms {
            let scales = bridge::read(net.norm(at).gamma.val())?;
            sums.iter_mut().zip(scales).for_each(|(s, x)| *s += f64::from(x.abs()) / group.norms.len() as f64);
        }
        Ok(sums)
    })
}
