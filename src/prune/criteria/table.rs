//! All criteria, a record for each.

use super::{BettiOptions, Criterion, FunctionalityOptions, ReconstructionOptions, SamplesOptions};
use crate::prune::rule::Rule;
use crate::prune::scoring::SampleOptions;
use crate::prune::search::{EnergyOptions, TopologicalOptions};

/// What is known of a criterion before it scores anything.
#[derive(Clone, Copy, Debug)]
pub struct CriterionRecord {
    /// The name on the command line and in results.
    pub name: &'static str,
    /// What a filter is worth by it.
    pub about: &'static str,
    /// Whether a high score means that the filter goes.
    pub high_goes: bool,
    /// Whether scores of different layers mean the same, so that they are compared as they are.
    pub alike: bool,
    /// Whether it is a search for a set of filters, which gives them no order.
    pub is_search: bool,
    /// Which filters go if nothing is said; half of every layer if there is nothing here either.
    pub usual: Option<Rule>,
    /// Names of the settings that are its own.
    pub settings: &'static [&'static str],
    /// Makes it with so many samples and a seed.
    pub make: fn(usize, u64) -> Criterion,
}

/// What most records share.
const PLAIN: CriterionRecord = CriterionRecord {
    name: "",
    about: "",
    high_goes: false,
    alike: false,
    is_search: false,
    usual: None,
    settings: &[],
    make: |_, seed| Criterion::Random { seed },
};

/// All of them.
pub static CRITERIA: [CriterionRecord; 18] = [
    CriterionRecord {
        name: "betti",
        about: "the Betti number of the cloud that the filter makes of the samples; the largest go first",
        high_goes: true,
        usual: Some(Rule::Above(300.0)),
        settings: &["samples", "betti", "scale", "quantile", "reading", "hops", "per-class"],
        make: |samples, seed| Criterion::Betti(BettiOptions { samples, seed, ..Default::default() }),
        ..PLAIN
    },
    CriterionRecord {
        name: "holes",
        about: "holes of the filter's map in the plane; the largest go first",
        high_goes: true,
        settings: &["samples"],
        make: |samples, seed| Criterion::Holes(SampleOptions { samples, seed }),
        ..PLAIN
    },
    CriterionRecord { name: "l1", about: "the sum of absolute weights", make: |_, _| Criterion::L1, ..PLAIN },
    CriterionRecord { name: "l2", about: "the Euclidean norm of the weights", make: |_, _| Criterion::L2, ..PLAIN },
    CriterionRecord { name: "fpgm", about: "the distance to the layer's other filters", make: |_, _| Criterion::Fpgm, ..PLAIN },
    CriterionRecord {
        name: "bn-scale",
        about: "the scale of the batch norm",
        alike: true,
        usual: Some(Rule::Below(1e-3)),
        make: |_, _| Criterion::BnScale,
        ..PLAIN
    },
    CriterionRecord {
        name: "apoz",
        about: "the share of zeros behind the activation; the largest go first",
        high_goes: true,
        alike: true,
        settings: &["samples"],
        make: |samples, seed| Criterion::Apoz(SampleOptions { samples, seed }),
        ..PLAIN
    },
    CriterionRecord {
        name: "mean-activation",
        about: "the mean absolute activation",
        settings: &["samples"],
        make: |samples, seed| Criterion::MeanActivation(SampleOptions { samples, seed }),
        ..PLAIN
    },
    CriterionRecord {
        name: "selectivity",
        about: "for how many samples the filter fires, and how strongly",
        settings: &["samples"],
        make: |samples, seed| Criterion::Selectivity(SampleOptions { samples, seed }),
        ..PLAIN
    },
    CriterionRecord {
        name: "taylor",
        about: "the first-order change of the loss without the filter",
        alike: true,
        settings: &["samples"],
        make: |samples, seed| Criterion::Taylor(SampleOptions { samples, seed }),
        ..PLAIN
    },
    CriterionRecord {
        name: "effect",
        about: "the variance of what the filter adds to the logits",
        alike: true,
        settings: &["samples"],
        make: |samples, seed| Criterion::Effect(SampleOptions { samples, seed }),
        ..PLAIN
    },
    CriterionRecord {
        name: "barcode",
        about: "what the samples' barcode loses without it, once the other filters are refitted",
        settings: &["samples", "aim", "joint"],
        make: |samples, seed| Criterion::Barcode(ReconstructionOptions { samples, seed, ..Default::default() }),
        ..PLAIN
    },
    CriterionRecord {
        name: "samples-h0",
        about: "what the samples' components in the layer's space lose without it",
        settings: &["samples"],
        make: |samples, seed| Criterion::SamplesBarcode(SamplesOptions::of(0, samples, seed)),
        ..PLAIN
    },
    CriterionRecord {
        name: "samples-h1",
        about: "what the samples' loops in the layer's space lose without it",
        settings: &["samples"],
        make: |samples, seed| Criterion::SamplesBarcode(SamplesOptions::of(1, samples, seed)),
        ..PLAIN
    },
    CriterionRecord {
        name: "functionality",
        about: "what the filter responds to and contributes, among those that do the same",
        settings: &["samples"],
        make: |samples, seed| Criterion::Functionality(FunctionalityOptions { samples, seed, ..Default::default() }),
        ..PLAIN
    },
    CriterionRecord {
        name: "topological",
        about: "a genetic search for the filters whose barcode is that of all",
        is_search: true,
        settings: &["population", "generations", "points"],
        make: |_, seed| Criterion::Topological(TopologicalOptions { seed, ..Default::default() }),
        ..PLAIN
    },
    CriterionRecord {
        name: "energy",
        about: "a differential evolution for the filters with the lowest energy",
        is_search: true,
        usual: Some(Rule::Below(0.5)),
        settings: &["population", "generations"],
        make: |_, seed| Criterion::Energy(EnergyOptions { seed, ..Default::default() }),
        ..PLAIN
    },
    CriterionRecord {
        name: "random",
        about: "chance, the control that every criterion has to beat",
        make: |_, seed| Criterion::Random { seed },
        ..PLAIN
    },
];

impl CriterionRecord {
    /// The record of a name.
    pub fn of(name: &str) -> Option<&'static Self> {
        CRITERIA.iter().find(|r| r.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_by_their_criteria() {
        for record in &CRITERIA {
            let made = (record.make)(7, 3);
            assert_eq!(made.name(), record.name);
            assert_eq!(record.settings.contains(&"samples"), made.samples().is_some(), "{}", record.name);
            assert_eq!(made.clone().seeded(4) != made, made.is_seeded(), "{}", record.name);
        }
        let names = |is: fn(&CriterionRecord) -> bool| CRITERIA.iter().filter(|r| is(r)).map(|r| r.name).collect::<Vec<_>>();
        assert_eq!(names(|r| r.high_goes), ["betti", "holes", "apoz"]);
        assert_eq!(names(|r| r.alike), ["bn-scale", "apoz", "taylor", "effect"]);
        assert_eq!(names(|r| r.is_search), ["topological", "energy"]);
        assert_eq!(names(|r| r.usual.is_some()), ["betti", "bn-scale", "energy"]);
        assert!(Criterion::named("tailor", 7, 3).unwrap_err().to_string().contains("did you mean 'taylor'"));
    }
}
