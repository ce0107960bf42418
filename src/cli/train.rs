//! `lacuna train`

use super::engine::EngineArgs;
use super::print;
use super::progress::Progress;
use clap::{Args, ValueEnum};
use lacuna::nn::Activation;
use lacuna::progress::Watch;
use lacuna::report::{Lines, Picture};
use lacuna::train::{Config, ModelKind, Optimiser, OptimiserKind, Run, Settings, load_data};
use lacuna::{Error, Result};
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Model {
    Cnn,
    Mlp,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Rule {
    Adam,
    Sgd,
}

#[derive(Clone, Debug, Args)]
pub struct Train {
    /// Folder of the run
    #[arg(long, short)]
    out: PathBuf,
    /// Go on with the run in that folder (its own options count; --epochs may be raised)
    #[arg(long)]
    resume: bool,
    /// fashion-mnist (a part is bundled), mnist, cifar-10 or disks
    #[arg(long, default_value = "fashion-mnist")]
    data: String,
    /// Folder with the complete data set: IDX files (.gz too), or CIFAR-10's .bin files
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "cnn")]
    model: Model,
    /// Filters of each convolution block of a cnn
    #[arg(long, value_delimiter = ',', default_value = "32,64")]
    filters: Vec<usize>,
    /// Numbers in the hidden layer of a cnn
    #[arg(long, default_value_t = 128)]
    hidden: usize,
    /// Linear layers of an mlp
    #[arg(long, default_value_t = 10)]
    depth: usize,
    /// Numbers between the layers of an mlp
    #[arg(long, default_value_t = 15)]
    width: usize,
    /// relu, leaky_relu:S, tanh, sigmoid, elu, swish, sine:W, sine-plus-linear:N, fold:A,C, cabs, relu-normalised, identity
    #[arg(long, default_value = "relu")]
    activation: String,
    #[arg(long, value_enum, default_value = "adam")]
    optimiser: Rule,
    /// Learning rate [default: 0.001 for adam, 0.05 for sgd]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// Momentum of sgd
    #[arg(long, default_value_t = 0.9)]
    momentum: f64,
    /// L2 term of the gradient
    #[arg(long, default_value_t = 0.0)]
    weight_decay: f32,
    /// Passes over the data [default: 5]
    #[arg(long)]
    epochs: Option<usize>,
    /// Samples per step; 0 takes all at once
    #[arg(long, default_value_t = 128)]
    batch: usize,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Train {
    fn config(&self) -> Result<Config> {
        let (kind, default_rate) = match self.optimiser {
            Rule::Adam => (OptimiserKind::Adam, 0.001),
            Rule::Sgd => (OptimiserKind::Sgd, 0.05),
        };
        let rate = self.lr.unwrap_or(default_rate);
        if !(rate > 0.0 && rate.is_finite()) {
            return Err(Error::input("the learning rate must be above 0"));
        }
        if self.filters.contains(&0) || self.filters.is_empty() || self.hidden == 0 {
            return Err(Error::input("a cnn needs at least one filter in every block, and a hidden layer"));
        }
        let momentum = if matches!(kind, OptimiserKind::Sgd) { self.momentum } else { 0.0 };
        let optimiser = Optimiser { kind, rate, momentum, weight_decay: self.weight_decay };
        Ok(Config {
            data: self.data.clone(),
            data_dir: self.data_dir.clone(),
            model: match self.model {
                Model::Cnn => ModelKind::Cnn { filters: self.filters.clone(), hidden: self.hidden },
                Model::Mlp => ModelKind::Mlp { depth: self.depth, width: self.width },
            },
            activation: Activation::parse(&self.activation)?,
            settings: Settings { epochs: self.epochs.unwrap_or(5), batch: self.batch, optimiser, seed: self.seed },
        })
    }

    pub fn run(&self, quiet: bool) -> Result<()> {
        let (run, data) = if self.resume {
            let mut run = Run::open(&self.out)?;
            if run.folder.join("prune.json").exists() {
                return Err(Error::input("this run was made by `lacuna prune`: go on with its --resume"));
            }
            if let Some(epochs) = self.epochs {
                run.config.settings.epochs = epochs;
                run.write_config()?;
            }
            let data = run.data()?;
            (run, data)
        } else {
            let config = self.config()?;
            let data = load_data(&config.data, config.data_dir.as_deref(), config.settings.seed)?;
            (Run::create(&self.out, config, &data)?, data)
        };
        let compute = self.engine.compute(quiet)?;
        run.write_engine(&compute.engine.info())?;
        let mut progress = Progress::new(quiet);
        progress.note(&format!(
            "{} on {}: {} training and {} test samples",
            run.arch.name,
            data.name,
            data.train.len(),
            data.test.len()
        ));
        run.train(&data, &compute, &mut progress)?;
        drop(progress);
        let metrics = run.metrics()?;
        let points = |f: fn(&lacuna::train::EpochRecord) -> f64| metrics.iter().map(|m| (m.epoch as f64, f(m))).collect();
        let series = vec![
            ("train".to_string(), points(|m| 100.0 * m.train_accuracy)),
            ("test".to_string(), points(|m| 100.0 * m.test_accuracy.unwrap_or(f64::NAN))),
        ];
        let title = format!("{}, {}", run.arch.name, run.arch.activation);
        Lines { title, x: "epoch".into(), y: "accuracy, %".into(), series }.save(&run.folder.join("accuracy.svg"))?;
        let last = metrics.last().and_then(|m| m.test_accuracy).unwrap_or(0.0);
        print(&format!(
            "{}: {:.2} % on {} test samples after {} epochs\n",
            run.folder.display(),
            100.0 * last,
            data.test.len(),
            metrics.len()
        ))
    }
}
