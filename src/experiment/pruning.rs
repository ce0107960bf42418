//! Experiments that compare criteria on one trained network.

use super::compare::{Compare, CompareRow, Rival, compare};
use crate::error::{Error, Result};
use crate::nn::{Activation, Compute};
use crate::progress::Watch;
use crate::prune::{CRITERIA, Compensation, Recovery};
use crate::train::{Config, ModelKind, Optimiser, OptimiserKind, Run, Settings, load_data};
use std::path::PathBuf;

/// What such an experiment is about, and how large.
#[derive(Clone, Debug)]
pub struct Pruning {
    /// Folder of the results; an experiment that is there goes on.
    pub out: PathBuf,
    /// A small network on bundled images, for a laptop; else VGG-16 on CIFAR-10, for a GPU.
    pub quick: bool,
    /// A run to prune in place of one that is trained first.
    pub run: Option<PathBuf>,
    /// Folder with CIFAR-10, for the full form.
    pub data_dir: Option<PathBuf>,
    /// Seeds of each criterion.
    pub seeds: Option<usize>,
    /// Training samples of a recovery's epoch.
    pub train: Option<usize>,
    /// Epochs of each recovery.
    pub limit: Option<usize>,
    /// Shares of each layer's filters.
    pub ratios: Option<Vec<f64>>,
    /// Test samples; all if not given.
    pub test: Option<usize>,
    /// How what is left is fitted to the whole network after each cut, if it is; the recovery is
    /// gentle then.
    pub compensate: Option<Compensation>,
}

/// The run to prune: the one given, the one trained earlier, or a new one.
///
/// # Errors
/// [`Error::Input`] without a folder for CIFAR-10; [`Error::Interrupted`]; whatever training says.
pub(super) fn subject(options: &Pruning, compute: &Compute, watch: &mut dyn Watch) -> Result<Run> {
    if let Some(folder) = &options.run {
        return Run::open(folder);
    }
    let folder = options.out.join("run");
    let run = if folder.join("config.json").exists() {
        let run = Run::open(&folder)?;
        if run.config.model != config(options)?.model {
            let what = if options.quick { "the full form's" } else { "another" };
            return Err(Error::setting(format!("{} holds {what} network: use another folder", folder.display()), &["out"]));
        }
        run
    } else {
        let config = config(options)?;
        let data = load_data(&config.data, config.data_dir.as_deref(), 0)?;
        Run::create(&folder, config, &data)?
    };
    if run.metrics()?.len() < run.config.settings.epochs {
        watch.note(&format!("training {} first, into {}", run.arch.title(), folder.display()));
        run.train(None, &run.data()?, compute, watch)?;
        run.write_engine(&compute.engine.info())?;
    }
    Ok(run)
}

fn config(options: &Pruning) -> Result<Config> {
    let (data, model, settings) = if options.quick {
        let model = ModelKind::Cnn { filters: vec![32, 64], hidden: 128, norm: true };
        ("fashion-mnist", model, Settings::new(3, 64, Optimiser::adam(0.001), 0))
    } else {
        let sgd = Optimiser { momentum: 0.9, weight_decay: 5e-4, ..Optimiser::new(OptimiserKind::Sgd, 0.05) };
        let settings = Settings { augment: true, ..Settings::new(160, 128, sgd, 0) };
        ("cifar-10", ModelKind::Zoo { name: "vgg16-bn".into() }, settings)
    };
    if !options.quick && options.data_dir.is_none() {
        let message = "the full form trains on CIFAR-10: give the folder of its data, or a trained run";
        return Err(Error::setting(message, &["data-dir", "run"]));
    }
    let data_dir = options.data_dir.clone().filter(|_| !options.quick);
    Ok(Config { data_dir, ..Config::new(data, model, Activation::parse("relu")?, settings) })
}

/// Training samples of the quick form.
const QUICK_TRAIN: usize = 3000;
/// Samples that criteria look at in these experiments.
const SAMPLES: usize = 512;

fn grid(options: &Pruning, names: &[&str], run: &Run) -> Result<Compare> {
    let train = options.train.or(options.quick.then_some(QUICK_TRAIN));
    let samples = train.unwrap_or(SAMPLES).min(SAMPLES);
    let rivals = names.iter().map(|n| Rival::named(n, samples)).collect::<Result<_>>()?;
    let mut c = Compare::new(run, rivals);
    c.seeds = options.seeds.unwrap_or(if options.quick { 1 } else { 3 });
    c.ratios = options.ratios.clone().unwrap_or_else(|| if options.quick { vec![0.3, 0.6] } else { c.ratios });
    c.recover = options.limit.unwrap_or(if options.quick { 1 } else { 40 });
    (c.train, c.test) = (train, options.test);
    let most = train.unwrap_or(usize::MAX);
    c.compensate = options.compensate.map(|by| Compensation { images: by.images.min(most), ..by });
    c.recovery = c.compensate.map(|_| Recovery::default());
    if options.run.is_none() && !options.quick {
        c.settings.optimiser.rate = 0.001;
    }
    Ok(c)
}

/// The genetic search with a topological fitness against norms and chance: accuracy, parameters,
/// MACs, recovery.
///
/// # Errors
/// As [`compare`].
pub fn topological_pruner(options: &Pruning, compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<CompareRow>> {
    let run = subject(options, compute, watch)?;
    let compared = grid(options, &["topological", "topological:refitted", "l1", "l2", "fpgm", "random"], &run)?;
    compare(&compared, &options.out, compute, watch)
}

/// Every criterion.
///
/// # Errors
/// As [`compare`].
pub fn pruning_comparison(options: &Pruning, compute: &Compute, watch: &mut dyn Watch) -> Result<Vec<CompareRow>> {
    let run = subject(options, compute, watch)?;
    let mut names: Vec<&str> = CRITERIA.iter().map(|c| c.name).collect();
    if run.arch.groups()?.iter().any(|g| g.norms.is_empty()) {
        names.retain(|n| *n != "bn-scale");
    }
    names.insert(1, "betti:reverse");
    names.extend([
        "barcode:logits",
        "barcode:seams",
        "barcode:loops",
        "barcode:layers",
        "barcode:outputs",
        "topological:refitted",
    ]);
    compare(&grid(options, &names, &run)?, &options.out, compute, watch)
}
