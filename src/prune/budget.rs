//! How many filters of each group go so that a network stays within a budget.

use super::scoring::LayerScores;
use super::surgery::{Keep, cut_arch};
use crate::error::{Error, Result};
use crate::nn::{Arch, Group, counts_of};
use serde::{Deserialize, Serialize};

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Budget {
    /// Multiply-accumulates of one sample.
    Macs,
    /// Weights that training changes.
    Parameters,
}

/// How a budget is shared among the layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shares {
    /// Every layer loses the same share.
    #[default]
    Same,
    /// Filters go one by one, wherever the variance of the effect on the logits is least for what
    /// it saves. Every layer keeps a quarter.
    Effect,
}

/// The share of its filters that a layer keeps where effects decide: costs of single filters do not
/// see what happens when most of a layer goes.
const LEAST_SHARE: f64 = 0.25;

impl Budget {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Budget::Macs => "macs",
            Budget::Parameters => "parameters",
        }
    }

    /// How much a network has of it.
    ///
    /// # Errors
    /// As [`Arch::shapes`].
    pub fn of(self, arch: &Arch) -> Result<f64> {
        let counts = counts_of(arch)?;
        Ok(counts.iter().map(|c| if self == Budget::Macs { c.macs } else { c.parameters } as f64).sum())
    }

    /// How much it has with so many filters of each group.
    fn with(self, arch: &Arch, groups: &[Group], stays: &[usize]) -> Result<f64> {
        let keep: Keep = groups.iter().zip(stays).map(|(g, &n)| (g.leader(), (0..n).collect())).collect();
        self.of(&cut_arch(arch, &keep)?)
    }

    fn unreachable(self, limit: f64, least: f64, whole: f64, hint: &str) -> Error {
        let share = |x: f64| format!("{:.3}", (x / whole.max(1.0) * 1e3).ceil() / 1e3);
        Error::input(format!(
            "the target of {limit:.0} {} cannot be reached: {least:.0} are left when all has gone that may go, a share of {} of this network's{hint}",
            self.name(),
            share(least)
        ))
    }

    /// Filters of each group that stay when all lose the same share, the smallest that brings the
    /// network to `limit`; `stays(group, share)` says what a share leaves. Where that is `rounded`,
    /// many groups lose filters at the same share, which may be far more than is wanted: those that
    /// can then have them back.
    ///
    /// # Errors
    /// [`Error::Input`] when no share does.
    pub(super) fn same_shares(
        self,
        arch: &Arch,
        groups: &[Group],
        limit: f64,
        rounded: bool,
        stays: &dyn Fn(&Group, f64) -> usize,
    ) -> Result<Vec<usize>> {
        // Every share at which a group loses one filter more.
        let mut shares: Vec<f64> = groups.iter().flat_map(|g| (0..g.filters).map(move |k| k as f64 / g.filters as f64)).collect();
        shares.sort_by(f64::total_cmp);
        shares.dedup();
        let at = |share: f64| groups.iter().map(|g| stays(g, share)).collect::<Vec<_>>();
        let (mut low, mut high) = (0, shares.len());
        while low < high {
            let middle = (low + high) / 2;
            if self.with(arch, groups, &at(shares[middle]))? <= limit { high = middle } else { low = middle + 1 }
        }
        match shares.get(low) {
            Some(&share) if rounded && low > 0 => self.with_back(arch, groups, limit, at(share), &at(shares[low - 1])),
            Some(&share) => Ok(at(share)),
            None => {
                let least = self.with(arch, groups, &at(shares.last().copied().unwrap_or(0.0)))?;
                Err(self.unreachable(limit, least, self.of(arch)?, ""))
            }
        }
    }

    /// Gives groups back what they had `before`, as long as the network stays within `limit`: each
    /// time the group that makes most of what is free.
    fn with_back(self, arch: &Arch, groups: &[Group], limit: f64, mut stays: Vec<usize>, before: &[usize]) -> Result<Vec<usize>> {
        loop {
            let mut best: Option<(f64, usize)> = None;
            for g in (0..groups.len()).filter(|&g| stays[g] < before[g]) {
                let mut larger = stays.clone();
                larger[g] = before[g];
                let cost = self.with(arch, groups, &larger)?;
                if cost <= limit && best.is_none_or(|(most, _)| cost > most) {
                    best = Some((cost, g));
                }
            }
            let Some((_, g)) = best else { return Ok(stays) };
            stays[g] = before[g];
        }
    }

    /// Filters of each group that stay when they go one by one (or `round_to` by `round_to`), the
    /// least effect for what is saved first, until the network is at `limit`. `free` says which
    /// groups may lose any, `minimum` what each keeps.
    ///
    /// # Errors
    /// [`Error::Input`] when it cannot come so far.
    pub(super) fn by_effect(
        self,
        arch: &Arch,
        groups: &[Group],
        effects: &[LayerScores],
        limit: f64,
        round_to: usize,
        least_of: &dyn Fn(&Group) -> usize,
    ) -> Result<Vec<usize>> {
        let sorted: Vec<Vec<f64>> = effects
            .iter()
            .map(|e| {
                let mut sorted = e.scores.clone();
                sorted.sort_by(f64::total_cmp);
                sorted
            })
            .collect();
        let mut stays: Vec<usize> = groups.iter().map(|g| g.filters).collect();
        let mut now = self.with(arch, groups, &stays)?;
        while now > limit {
            let mut best: Option<(f64, usize, usize, f64)> = None;
            for (g, group) in groups.iter().enumerate() {
                let next = (stays[g] - 1) / round_to * round_to;
                let least = least_of(group).max((LEAST_SHARE * group.filters as f64).ceil() as usize).max(1);
                if next < least {
                    continue;
                }
                let mut smaller = stays.clone();
                smaller[g] = next;
                let after = self.with(arch, groups, &smaller)?;
                let gone = group.filters - stays[g]..group.filters - next;
                let cost = sorted[g][gone].iter().sum::<f64>() / (now - after).max(f64::MIN_POSITIVE);
                if best.is_none_or(|(least, ..)| cost < least) {
                    best = Some((cost, g, next, after));
                }
            }
            let Some((_, g, next, after)) = best else {
                let hint = ", for effects decide and every layer keeps a quarter: the same share of every layer goes further";
                return Err(self.unreachable(limit, now, self.of(arch)?, hint).settings(&["shares same"]));
            };
            (stays[g], now) = (next, after);
        }
        Ok(stays)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, zoo};

    /// Where filters go by eights, layers of 16, 32 and 64 lose half at one share. What the budget
    /// leaves is then given back.
    #[test]
    fn rounding_takes_no_more_than_the_budget_asks_for() {
        let arch = zoo::named("resnet20", [3, 32, 32], 10, Activation::parse("relu").unwrap()).unwrap();
        let groups = arch.groups().unwrap();
        let whole = Budget::Macs.of(&arch).unwrap();
        let by_eights = |group: &Group, share: f64| {
            let stays = (group.filters as f64 * (1.0 - share)).ceil() as usize;
            stays.next_multiple_of(8).min(group.filters)
        };
        let mut left = Vec::new();
        for rounded in [false, true] {
            let stays = Budget::Macs.same_shares(&arch, &groups, 0.5 * whole, rounded, &by_eights).unwrap();
            assert!(stays.iter().all(|s| s % 8 == 0 && *s > 0), "{stays:?}");
            left.push(Budget::Macs.with(&arch, &groups, &stays).unwrap() / whole);
        }
        assert!(left[0] < 0.3 && left[1] > 0.45 && left[1] <= 0.5, "{left:?}");
    }
}
