//! `lacuna train`

use super::choice::one_of;
use super::engine::EngineArgs;
use super::print;
use super::progress::Progress;
use clap::Args;
use lacuna::data::{DataSet, lock_folder};
use lacuna::nn::{Activation, Arch, Compute, Init, Layer, mean_field};
use lacuna::progress::Watch;
use lacuna::report::{Lines, Page, Picture};
use lacuna::train::{
    Config, EpochRecord, ModelKind, Normalisation, Optimiser, OptimiserKind, Private, RateSchedule, Run, Settings, is_generated,
};
use lacuna::{Error, Result};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  lacuna train --out runs/a\n  lacuna train --data disks --trace --out runs/d\n  lacuna train --private --no-norm --epsilon 3 --out runs/p\n  lacuna train --resume --epochs 10 --out runs/a"
)]
pub struct Train {
    /// Folder of the run
    #[arg(long, short)]
    out: PathBuf,
    /// Go on with the run in that folder, by its own options; --epochs may be raised
    #[arg(long, conflicts_with_all = [
        "data", "data_dir", "model", "filters", "hidden", "depth", "width", "no_norm", "activation", "learn_activation", "init", "optimiser", "lr", "momentum", "decoupled", "augment", "mean", "deviation",
        "weight_decay", "batch", "seed", "schedule", "warm_up", "patience", "private", "clip", "noise", "epsilon", "delta", "noise_seed",
    ])]
    resume: bool,
    /// Replace the run that is in --out
    #[arg(long, conflicts_with = "resume")]
    force: bool,
    /// Begin with the network, the weights and the data of another run, whole or pruned, in place
    /// of a network that is drawn
    #[arg(long, value_name = "RUN", conflicts_with_all = [
        "resume", "data", "data_dir", "model", "filters", "hidden", "depth", "width", "no_norm", "activation", "learn_activation", "init", "mean", "deviation",
    ])]
    from: Option<PathBuf>,
    /// fashion-mnist (a part is bundled), mnist, cifar-10, cat-vs-dog (of CIFAR-10, or a folder),
    /// images (a folder of train/CLASS/*.jpg; images:64 scales to 64 pixels), or a shape of `lacuna
    /// data list`, as disks:75
    #[arg(long, default_value = "fashion-mnist")]
    data: String,
    /// The column of a table (--data FILE.csv or FILE.npy) that holds the labels, by name or number
    /// from 0 on, or a .npy file of labels. All other columns are what the network sees, brought to
    /// mean 0 and variance 1
    #[arg(long, value_name = "COLUMN", conflicts_with_all = ["data_dir", "resume", "from"])]
    label: Option<String>,
    /// Folder with the complete data set: IDX files (.gz too), or CIFAR-10's .bin files; or a folder
    /// that holds such a one of the data set's name
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Means that images are normalised by, of pixels over 255: one, or one per channel [default:
    /// the data set's]
    #[arg(long, value_delimiter = ',', requires = "deviation")]
    mean: Vec<f32>,
    /// Deviations that images are normalised by
    #[arg(long, value_delimiter = ',', requires = "mean")]
    deviation: Vec<f32>,
    /// cnn, mlp, or a network of the literature: vgg11, vgg16 (-bn), resnet20, resnet56, basicnet,
    /// mobilenet; with a factor for all widths as in vgg16-bn:0.25 [default: cnn for images, mlp
    /// for tables and shapes]
    #[arg(long)]
    model: Option<String>,
    /// Filters of each convolution block of a cnn [default: 32,64]
    #[arg(long, value_delimiter = ',')]
    filters: Option<Vec<usize>>,
    /// Numbers in the hidden layer of a cnn [default: 128]
    #[arg(long)]
    hidden: Option<usize>,
    /// Linear layers of an mlp [default: 10, of tables 3]
    #[arg(long)]
    depth: Option<usize>,
    /// Numbers between the layers of an mlp [default: 15, of tables 32]
    #[arg(long)]
    width: Option<usize>,
    /// A cnn without batch norms
    #[arg(long)]
    no_norm: bool,
    /// Activation function, as NAME or NAME:P1,P2; `lacuna activations` lists them [default: cabs
    /// for shapes, else relu]
    #[arg(long)]
    activation: Option<Activation>,
    /// Learn the activation's parameters too, each layer's own
    #[arg(long)]
    learn_activation: bool,
    /// How weights are drawn: own (the activation's), edge (of chaos), glorot, or a variance times
    /// fan-in [default: own]
    #[arg(long)]
    init: Option<Init>,
    /// How the gradient changes the weights
    #[arg(long, default_value = "adam", value_parser = one_of::<OptimiserKind>(OptimiserKind::ALL.map(|o| o.1)))]
    optimiser: OptimiserKind,
    /// Learning rate [default: 0.001; for sgd 0.05, adagrad 0.01, adadelta 1]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// The course of the learning rate: constant, step (a tenth from half of the steps on, a
    /// hundredth from three quarters on), cosine, or one-cycle
    #[arg(long, default_value = "constant", value_parser = one_of::<RateSchedule>(RateSchedule::ALL.map(|s| s.0)))]
    schedule: RateSchedule,
    /// Epochs over which the learning rate rises to its beginning
    #[arg(long, default_value_t = 0, value_name = "EPOCHS")]
    warm_up: usize,
    /// End when the loss on a held-out tenth of the training samples has not become smaller for so
    /// many epochs, and keep the best epoch's weights
    #[arg(long, value_name = "EPOCHS")]
    patience: Option<usize>,
    /// Momentum of sgd [default: 0.9]
    #[arg(long)]
    momentum: Option<f64>,
    /// Regularisation: an L2 term of the gradient
    #[arg(long, default_value_t = 0.0)]
    weight_decay: f32,
    /// Take the weight decay off the weights after each step, in place of an L2 term
    #[arg(long)]
    decoupled: bool,
    /// Mirror and shift images by chance
    #[arg(long)]
    augment: bool,
    /// Passes over the data [default: 5, of tables as many as make 1,000 steps, up to 200]
    #[arg(long)]
    epochs: Option<usize>,
    /// Samples per step; 0 takes all at once
    #[arg(long, default_value_t = 128)]
    batch: usize,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    privacy: PrivacyArgs,
    /// Write event files for TensorBoard into the run's folder: `tensorboard --logdir runs` shows
    /// all runs
    #[arg(long)]
    tensorboard: bool,
    /// Betti numbers of every layer after every epoch, into trace.json and trace.html
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    procedure: super::trace::ProcedureArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Where the help has the options of private training.
const PRIVACY: &str = "Privacy";

/// Differentially private training.
#[derive(Clone, Debug, Args)]
pub struct PrivacyArgs {
    /// Learn little about any single sample: each sample's gradient is clipped, and noise is added
    /// to their sum (DP-SGD, arXiv 1607.00133). The privacy that was spent is printed after every
    /// epoch
    #[arg(long, help_heading = PRIVACY)]
    private: bool,
    /// How long the gradient of a sample may be, over all weights together
    #[arg(long, default_value_t = 1.0, requires = "private", help_heading = PRIVACY)]
    clip: f64,
    /// Deviation of the noise, in clips [default: 1.1]
    #[arg(long, requires = "private", conflicts_with = "epsilon", help_heading = PRIVACY)]
    noise: Option<f64>,
    /// Add as much noise as it takes to spend at most this epsilon in all epochs; --resume then
    /// refuses epochs that would spend more
    #[arg(long, requires = "private", help_heading = PRIVACY)]
    epsilon: Option<f64>,
    /// The probability with which the guarantee may fail; it should be well below one over the
    /// number of samples
    #[arg(long, default_value_t = 1e-5, requires = "private", help_heading = PRIVACY)]
    delta: f64,
    /// Seed of noise and sampling, to repeat a run. Whoever knows it can take the noise off
    /// [default: random numbers of the operating system]
    #[arg(long, value_name = "SEED", requires = "private", help_heading = PRIVACY)]
    noise_seed: Option<u64>,
}

impl PrivacyArgs {
    /// What they say, if training is private. With `--epsilon` the noise is still to be found.
    fn settings(&self, patience: bool) -> Result<Option<Private>> {
        if !self.private {
            return Ok(None);
        }
        let noise = self.noise.unwrap_or(USUAL_NOISE);
        let private = Private { clip: self.clip, noise, delta: self.delta, seed: self.noise_seed, limit: self.epsilon };
        private.check()?;
        if patience {
            return Err(Error::input(
                "--patience stops by the loss on training samples, which privacy does not cover: leave it out, and choose --epochs",
            ));
        }
        Ok(Some(private))
    }

    /// Completes a run's settings once its data are known, and says what they will spend.
    fn complete(&self, config: &mut Config, data: &DataSet, quiet: bool) -> Result<()> {
        let steps = steps(&config.settings, config.settings.epochs, data.train.len());
        let Settings { batch, private: Some(private), .. } = &mut config.settings else { return Ok(()) };
        if let Some(wanted) = self.epsilon {
            private.noise = private.noise_for(wanted, *batch, data.train.len(), steps)?;
        }
        announce(&config.settings, data.train.len(), quiet);
        Ok(())
    }
}

/// Steps that some epochs take.
fn steps(settings: &Settings, epochs: usize, count: usize) -> usize {
    epochs * if settings.batch == 0 { 1 } else { count.div_ceil(settings.batch) }
}

/// Says what a private run will spend, and what weakens its promise.
fn announce(settings: &Settings, count: usize, quiet: bool) {
    let Some(private) = &settings.private else { return };
    let mut progress = Progress::new(quiet);
    progress.note(&format!(
        "private training: clip {}, noise {:.4}; {} will spend an epsilon of {:.3} at delta {:e}",
        private.clip,
        private.noise,
        lacuna::report::counted(settings.epochs, "epoch"),
        private.spent(settings.batch, count, steps(settings, settings.epochs, count)),
        private.delta
    ));
    if private.delta * count as f64 > 1.0 {
        progress.note(&format!("delta is more than one over the {count} samples: it allows that a whole sample is shown"));
    }
    if private.seed.is_some() {
        progress.note("whoever knows the seed of the noise can take it off: keep it secret, or leave it out");
    }
}

/// Refuses more epochs than the epsilon that a run was begun with allows.
fn within_limit(settings: &Settings, epochs: usize, count: usize) -> Result<()> {
    let Some((private, limit)) = settings.private.as_ref().and_then(|p| Some((p, p.limit?))) else { return Ok(()) };
    let spent = |epochs| private.spent(settings.batch, count, steps(settings, epochs, count));
    if spent(epochs) <= limit {
        return Ok(());
    }
    let most = (0..epochs).rev().find(|&e| spent(e) <= limit).unwrap_or(0);
    Err(Error::input(format!(
        "{epochs} epochs would spend an epsilon of {:.3}, and this run was begun with --epsilon {limit}: that is enough for {}",
        spent(epochs),
        lacuna::report::counted(most, "epoch")
    )))
}

/// The noise of private training, in clips, if nothing is said.
const USUAL_NOISE: f64 = 1.1;

/// Steps that a network learns from a table, if nothing is said.
const TABLE_STEPS: usize = 1000;

/// What `--mean` and `--deviation` say.
pub fn normalisation(mean: &[f32], deviation: &[f32]) -> Option<Normalisation> {
    (!mean.is_empty()).then(|| Normalisation { mean: mean.to_vec(), deviation: deviation.to_vec() })
}

impl Train {
    fn settings(&self) -> Result<Settings> {
        let kind = self.optimiser;
        let (name, usual) = kind.usual();
        if self.momentum.is_some() && kind != OptimiserKind::Sgd {
            return Err(Error::input(format!("--momentum is for sgd: {name} has its own")));
        }
        let momentum = if kind == OptimiserKind::Sgd { self.momentum.unwrap_or(0.9) } else { 0.0 };
        if self.decoupled && self.weight_decay == 0.0 {
            return Err(Error::input("--decoupled needs a --weight-decay"));
        }
        let (weight_decay, decoupled) = (self.weight_decay, self.decoupled);
        let optimiser = Optimiser { momentum, weight_decay, decoupled, ..Optimiser::new(kind, self.lr.unwrap_or(usual)) };
        optimiser.check()?;
        let epochs = self.epochs.unwrap_or(5);
        if epochs == 0 {
            return Err(Error::input("at least one epoch is needed"));
        }
        let schedule = self.schedule;
        if self.warm_up >= epochs {
            return Err(Error::input(format!("a warm-up of {} epochs leaves none of {epochs} to learn in", self.warm_up)));
        }
        if self.patience == Some(0) {
            return Err(Error::input("--patience must be at least 1"));
        }
        let (augment, warm_up, patience) = (self.augment, self.warm_up, self.patience);
        let private = self.privacy.settings(patience.is_some())?;
        Ok(Settings { augment, schedule, warm_up, patience, private, ..Settings::new(epochs, self.batch, optimiser, self.seed) })
    }

    fn config(&self) -> Result<Config> {
        let settings = self.settings()?;
        // Each where docs/activations.md found it the best.
        let activation = match &self.activation {
            Some(given) => given.clone(),
            None if is_generated(&self.data) => "cabs".parse()?,
            None => "relu".parse()?,
        };
        // Another directory must not lead to other data.
        let data_dir = self.data_dir.as_ref().map(|d| std::fs::canonicalize(d).unwrap_or_else(|_| d.clone()));
        let table = lacuna::data::table::is_table(&self.data);
        if table && self.label.is_none() {
            return Err(Error::input(format!("{} is a table: name its column of labels with --label COLUMN", self.data)));
        }
        if self.label.is_some() && !table {
            return Err(Error::input("--label is for a table: give --data FILE.csv or FILE.npy"));
        }
        let absolute = |name: &str| std::fs::canonicalize(name).map_or(name.to_string(), |p| p.display().to_string());
        let label = self.label.as_deref().map(|l| if l.ends_with(".npy") { absolute(l) } else { l.to_string() });
        let data = if table { absolute(&self.data) } else { self.data.clone() };
        if table && self.privacy.private && self.mean.is_empty() {
            return Err(Error::input(
                "the columns of a table are brought to mean 0 and variance 1 by means of all samples, which privacy does not \
                 cover: give --mean and --deviation that do not come from the samples",
            ));
        }
        let given = Config::new(&data, self.model_kind()?, activation, settings);
        let init = self.init.unwrap_or_default();
        let normalisation = normalisation(&self.mean, &self.deviation);
        let (learn_activation, tensorboard) = (self.learn_activation, self.tensorboard);
        Config { label, data_dir, normalisation, init, learn_activation, tensorboard, ..given }.standardised()
    }

    /// What `--model` says, or what fits the data: tables and points have no planes to convolve.
    fn model_name(&self) -> &str {
        let flat = self.label.is_some() || is_generated(&self.data);
        self.model.as_deref().unwrap_or(if flat { "mlp" } else { "cnn" })
    }

    fn model_kind(&self) -> Result<ModelKind> {
        let refuse = |given: bool, what: &str, model: &str| {
            if given { Err(Error::input(format!("{what} does not apply to --model {model}"))) } else { Ok(()) }
        };
        match self.model_name() {
            "cnn" => {
                refuse(self.depth.is_some(), "--depth", "cnn")?;
                refuse(self.width.is_some(), "--width", "cnn")?;
                let filters = self.filters.clone().unwrap_or_else(|| vec![32, 64]);
                let hidden = self.hidden.unwrap_or(128);
                if filters.contains(&0) || filters.is_empty() || hidden == 0 {
                    return Err(Error::input("a cnn needs at least one filter in every block, and a hidden layer"));
                }
                Ok(ModelKind::Cnn { filters, hidden, norm: !self.no_norm })
            }
            model => {
                refuse(self.filters.is_some(), "--filters", model)?;
                refuse(self.no_norm, "--no-norm", model)?;
                refuse(self.hidden.is_some(), "--hidden", model)?;
                if model == "mlp" {
                    let (depth, width) = if self.label.is_some() { (3, 32) } else { (10, 15) };
                    return Ok(ModelKind::Mlp { depth: self.depth.unwrap_or(depth), width: self.width.unwrap_or(width) });
                }
                refuse(self.depth.is_some(), "--depth", model)?;
                refuse(self.width.is_some(), "--width", model)?;
                Ok(ModelKind::Zoo { name: model.into() })
            }
        }
    }

    /// Removes the run that is in the way, if that was asked for.
    fn make_room(&self) -> Result<()> {
        let from_itself = self.from.as_ref().is_some_and(|f| f.canonicalize().ok() == self.out.canonicalize().ok());
        match self.force {
            true if from_itself => Err(Error::input("--from and --out are the same run")),
            true => Run::remove(&self.out),
            false => Ok(()),
        }
    }

    /// A new run that begins with what another one has learnt.
    fn begin_from(&self, other: &Path, compute: &Compute, quiet: bool) -> Result<(Run, DataSet)> {
        let other = Run::open(other)?;
        let (settings, tensorboard) = (self.settings()?, self.tensorboard);
        let config = Config { model: ModelKind::Given, settings, tensorboard, ..other.config.clone() };
        let mut like = Run { folder: self.out.clone(), config, arch: other.arch.clone() };
        if settings.private.is_some() {
            // The options that choose another network do not go with --from.
            Private::allows(&like.arch)
                .map_err(|e| Error::input(format!("{}; give --from a run that `lacuna train --no-norm` made", e.root())))?;
        }
        let data = like.data()?;
        self.privacy.complete(&mut like.config, &data, quiet)?;
        let before = other.metrics()?.last().and_then(|m| m.epsilon);
        if let Some(line) = begun_from(before, settings.private.is_some()) {
            Progress::new(quiet).note(&line);
        }
        if self.trace {
            self.procedure.check(&data)?;
        }
        let net = other.network(compute)?;
        self.make_room()?;
        let run = Run::create_with(&like.folder, like.config, like.arch)?;
        net.save(&run.folder.join("weights.safetensors"))?;
        Ok((run, data))
    }

    pub fn run(&self, quiet: bool) -> Result<()> {
        let compute = self.engine.compute(quiet)?;
        let _lock = lock_folder(&self.out)?;
        let (run, data) = if let Some(other) = &self.from {
            self.begin_from(other, &compute, quiet)?
        } else if self.resume {
            let mut run = Run::open(&self.out)?;
            if run.folder.join("prune.json").exists() {
                return Err(Error::input("this run was made by `lacuna prune`: go on with its --resume"));
            }
            let data = run.data()?;
            if let Some(epochs) = self.epochs {
                let done = run.metrics()?.len();
                if epochs < done {
                    return Err(Error::input(format!("{done} epochs are through already, {epochs} were asked for")));
                }
                if epochs != run.config.settings.epochs && !run.config.settings.schedule.is_constant() {
                    return Err(Error::input(format!(
                        "the learning rate of this run is laid out over {} epochs: go on with --from and another --out",
                        run.config.settings.epochs
                    )));
                }
                within_limit(&run.config.settings, epochs, data.train.len())?;
                run.config.settings.epochs = epochs;
                run.write_config()?;
            }
            announce(&run.config.settings, data.train.len(), quiet);
            if self.tensorboard && !run.config.tensorboard {
                run.config.tensorboard = true;
                run.write_config()?;
            }
            (run, data)
        } else {
            let mut config = self.config()?;
            let data = config.data_set()?;
            if self.epochs.is_none() && self.label.is_some() {
                // A small table is through in a few steps: five epochs would teach nothing.
                let batch = if self.batch == 0 { data.train.len() } else { self.batch };
                config.settings.epochs = (TABLE_STEPS / data.train.len().div_ceil(batch).max(1)).clamp(5, 200);
            }
            if self.trace {
                self.procedure.check(&data)?;
            }
            config.architecture(&data)?;
            self.privacy.complete(&mut config, &data, quiet)?;
            self.make_room()?;
            (Run::create(&self.out, config, &data)?, data)
        };
        run.write_engine(&compute.engine.info())?;
        let mut progress = Progress::new(quiet);
        progress.note(&format!(
            "{} on {}: {} training and {} test samples",
            run.arch.title(),
            data.name,
            data.train.len(),
            data.test.len()
        ));
        if let Some(line) = growth_note(&run.arch) {
            progress.note(&line);
        }
        if run.config.learn_activation {
            progress.note("load_in_pytorch.py does not load learnt activations: this run stays with lacuna");
        }
        if !self.trace && run.folder.join("trace.json").exists() {
            progress.note("there is a trace of this run, which does not go on without --trace");
        }
        if self.trace {
            super::trace::live(&run, &data, &self.procedure, &compute, &mut progress).map_err(super::resumable)?;
        } else {
            run.train(None, &data, &compute, &mut progress).map_err(super::resumable)?;
        }
        drop(progress);
        let metrics = run.metrics()?;
        let points = |f: fn(&EpochRecord) -> f64| metrics.iter().map(|m| (m.epoch as f64, f(m))).collect();
        let series = vec![
            ("train".to_string(), points(|m| 100.0 * m.train_accuracy)),
            ("test".to_string(), points(|m| 100.0 * m.test_accuracy.unwrap_or(f64::NAN))),
        ];
        let title = format!("{}, {}", run.arch.title(), run.arch.activation.title());
        let accuracy = Lines { title: format!("{title}: accuracy"), x: "epoch".into(), y: "accuracy, %".into(), series };
        let mut losses = vec![
            ("train".to_string(), points(|m| m.train_loss)),
            ("test".to_string(), points(|m| m.test_loss.unwrap_or(f64::NAN))),
        ];
        if metrics.iter().any(|m| m.validation_loss.is_some()) {
            losses.push(("held out".to_string(), points(|m| m.validation_loss.unwrap_or(f64::NAN))));
        }
        let loss = Lines { title: format!("{title}: loss"), x: "epoch".into(), y: "loss".into(), series: losses };
        let rate = vec![("learning rate".to_string(), points(|m| m.rate.unwrap_or(f64::NAN)))];
        let rate = Lines { title: format!("{title}: learning rate"), x: "epoch".into(), y: "learning rate".into(), series: rate };
        accuracy.save(&run.folder.join("accuracy.svg"))?;
        loss.save(&run.folder.join("loss.svg"))?;
        // With --patience the weights are those of the best epoch.
        let kept = EpochRecord::best(&metrics).map(|at| &metrics[at]);
        let last = kept.or(metrics.last()).and_then(|m| m.test_accuracy).unwrap_or(0.0);
        let (tests, epochs) = (data.test.len(), lacuna::report::counted(metrics.len(), "epoch"));
        let mut page = Page::new(&format!("Training of {title} on {}", data.name));
        page.paragraph(&format!(
            "The network gives {:.2} % of {tests} test samples the right class after {epochs}, which took {:.0} s. It has {} weights.",
            100.0 * last,
            metrics.iter().map(|m| m.seconds).sum::<f64>(),
            lacuna::nn::counts_of(&run.arch)?.iter().map(|c| c.parameters).sum::<usize>()
        ));
        if let (Some(epsilon), Some(private)) = (metrics.last().and_then(|m| m.epsilon), run.config.settings.private) {
            page.paragraph(&format!(
                "Training was private: it spent an epsilon of {epsilon:.3} at delta {:e}, with gradients clipped at {} and a noise of \
                 {:.4} clips.",
                private.delta, private.clip, private.noise
            ));
        }
        page.pictures(&[accuracy, loss, rate])?;
        page.save(&run.folder.join("train.html"))?;
        print(&format!("{}: {:.2} % on {tests} test samples after {epochs}\n", run.folder.display(), 100.0 * last))
    }
}

/// What to say of the samples of a network that a run begins with: it was trained privately, and
/// spent an epsilon, or it was not.
fn begun_from(spent: Option<f64>, private: bool) -> Option<String> {
    match (spent, private) {
        (Some(epsilon), true) => Some(format!(
            "the run that this begins with has spent an epsilon of {epsilon:.3}, which is not counted here: of samples that both see, \
             the two together are spent"
        )),
        (Some(_), false) => Some(
            "the run that this begins with was private; this one is not, so its weights promise nothing about any sample".into(),
        ),
        (None, true) => {
            Some("what the network that this begins with has seen is not counted: its samples are not private".into())
        }
        (None, false) => None,
    }
}

/// What to say of a residual network in which numbers grow from block to block, if they do.
fn growth_note(arch: &Arch) -> Option<String> {
    let blocks = arch.layers.iter().filter(|layer| matches!(layer, Layer::Add { .. })).count();
    if blocks == 0 {
        return None;
    }
    let size = mean_field::residual_size(&arch.activation, blocks);
    let unscaled = match (arch.activation.name(), arch.activation.parameters()) {
        ("fold", [a, _]) if *a != 0.0 => format!(", and so does fold:{a},0, the same fold without its scale"),
        _ => String::new(),
    };
    (size > 10.0).then(|| {
        format!(
            "{} makes numbers grow from one residual block to the next: the last of {blocks} blocks adds numbers of size 1 to \
             numbers of size {size:.0}, and such networks learn less; relu keeps them small{unscaled}",
            arch.activation
        )
    })
}
