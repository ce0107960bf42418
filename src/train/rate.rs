//! How the learning rate changes while a network learns.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The course of the learning rate over a training, after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RateSchedule {
    /// It stays what it is.
    #[default]
    Constant,
    /// A tenth of it from half of the steps on, a hundredth from three quarters on.
    Step,
    /// It falls to 0 along half a cosine (Loshchilov and Hutter, arXiv 1608.03983, without
    /// restarts).
    Cosine,
    /// It rises from a 25th over three tenths of the steps and falls to nearly 0, both along half a
    /// cosine (Smith and Topin, arXiv 1708.07120).
    OneCycle,
}

impl std::str::FromStr for RateSchedule {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, schedule)| *schedule);
        known.ok_or_else(|| Error::unknown("schedule", name, &Self::ALL.map(|(n, _)| n)))
    }
}

impl std::fmt::Display for RateSchedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Self::ALL.iter().find(|(_, s)| s == self).map_or("", |(name, _)| name))
    }
}

impl RateSchedule {
    /// All of them by their names.
    pub const ALL: [(&'static str, RateSchedule); 4] = [
        ("constant", RateSchedule::Constant),
        ("step", RateSchedule::Step),
        ("cosine", RateSchedule::Cosine),
        ("one-cycle", RateSchedule::OneCycle),
    ];

    /// Whether nothing changes.
    pub fn is_constant(&self) -> bool {
        *self == RateSchedule::Constant
    }

    /// By what the learning rate is multiplied at a step of `total`, counted from 0, the first
    /// `warm_up` of which lead up to it along a line.
    pub fn factor(self, step: usize, total: usize, warm_up: usize) -> f64 {
        if step < warm_up {
            return self.at(0.0) * (step + 1) as f64 / (warm_up + 1) as f64;
        }
        self.at((step - warm_up) as f64 / (total.saturating_sub(warm_up)).max(1) as f64)
    }

    /// The factor at a share of the steps behind the warm-up.
    fn at(self, at: f64) -> f64 {
        let half_cosine = |from: f64, to: f64, at: f64| to + (from - to) * 0.5 * (1.0 + (std::f64::consts::PI * at).cos());
        match self {
            RateSchedule::Constant => 1.0,
            RateSchedule::Step if at < 0.5 => 1.0,
            RateSchedule::Step if at < 0.75 => 0.1,
            RateSchedule::Step => 0.01,
            RateSchedule::Cosine => half_cosine(1.0, 0.0, at),
            RateSchedule::OneCycle if at < 0.3 => half_cosine(0.04, 1.0, at / 0.3),
            RateSchedule::OneCycle => half_cosine(1.0, 1e-5, (at - 0.3) / 0.7),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn courses_have_their_marks() {
        let of = |s: RateSchedule| (0..100).map(|i| s.factor(i, 100, 0)).collect::<Vec<_>>();
        assert!(of(RateSchedule::Constant).iter().all(|f| *f == 1.0));
        let step = of(RateSchedule::Step);
        assert_eq!((step[49], step[50], step[74], step[75]), (1.0, 0.1, 0.1, 0.01));
        let cosine = of(RateSchedule::Cosine);
        assert!(cosine[0] == 1.0 && (cosine[50] - 0.5).abs() < 1e-12 && cosine[99] < 0.001);
        assert!(cosine.windows(2).all(|w| w[1] < w[0]));
        let cycle = of(RateSchedule::OneCycle);
        assert!((cycle[0] - 0.04).abs() < 1e-12 && (cycle[30] - 1.0).abs() < 1e-12 && cycle[99] < 0.002);
        let warm = |i| RateSchedule::Cosine.factor(i, 110, 10);
        assert!((warm(0) - 1.0 / 11.0).abs() < 1e-12 && warm(9) < 1.0 && warm(10) == 1.0 && (warm(60) - 0.5).abs() < 1e-12);
        // What leads up to a course leads to its beginning, without a jump.
        for (_, schedule) in RateSchedule::ALL {
            let warm: Vec<f64> = (0..30).map(|i| schedule.factor(i, 110, 10)).collect();
            assert!(
                warm[..=10].windows(2).all(|w| w[0] < w[1]) && (warm[10] - schedule.factor(0, 100, 0)).abs() < 1e-12,
                "{schedule}"
            );
        }
    }
}
