//! Searches for the filters to keep.

mod energy;
mod refitted;
mod topological;

pub use energy::EnergyOptions;
pub(super) use energy::energy;
pub(super) use topological::topological;
pub use topological::{FilterPoints, TopologicalOptions, Topology};

/// Scores from which a rule takes the filters that a search found: those of the best state above
/// 0.5, the others below; among each, those that more of the last population agree on are higher.
fn scores(best: &[bool], population: &[&[bool]]) -> Vec<f64> {
    let share = |f: usize| population.iter().filter(|p| p[f]).count() as f64 / population.len().max(1) as f64;
    best.iter().enumerate().map(|(f, &kept)| 0.75 * f64::from(u8::from(kept)) + 0.25 * share(f)).collect()
}
