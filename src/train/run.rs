//! The folder of a run: `config.json`, `arch.json`, `weights.safetensors`, `metrics.jsonl`, and the
//! last checkpoint, from which training can go on.

use super::evaluation::Evaluation;
use super::private::Private;
use super::trainer::{EpochRecord, Settings, Trainer, logits};
use crate::data::files::{checksum, create_folder, read_json, write_json, write_text};
use crate::data::sets::load_data;
use crate::data::table::{read_table, standard, table_set};
use crate::data::{DataSet, Samples};
use crate::error::{Error, Result};
use crate::nn::{Activation, Arch, Compute, Init, Net, zoo};
use crate::progress::Watch;
use crate::report::tensorboard::Events;
use crate::topology::EngineInfo;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

fn yes() -> bool {
    true
}

/// Which family of networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// `depth` linear layers, `width` numbers between them.
    Mlp {
        /// Linear layers in all.
        depth: usize,
        /// Numbers between them.
        width: usize,
    },
    /// One convolution block per entry, then a hidden layer.
    Cnn {
        /// Filters of each block.
        filters: Vec<usize>,
        /// Numbers in the hidden layer.
        hidden: usize,
        /// Whether batch norm follows every convolution.
        #[serde(default = "yes")]
        norm: bool,
    },
    /// A network of [`crate::nn::zoo::NAMES`].
    Zoo {
        /// Its name, with a factor for the widths if there is one.
        name: String,
    },
    /// What `arch.json` says: it came with weights from elsewhere.
    Given,
}

/// What pixels over 255 become: `(pixel - mean) / deviation`, channel by channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    /// One per channel, or one for all.
    pub mean: Vec<f32>,
    /// One per channel, or one for all.
    pub deviation: Vec<f32>,
}

/// All that decides a run's outcome on one kind of device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// `fashion-mnist` (the bundled part, or what `data_dir` holds), `mnist`, `cifar-10`,
    /// `cat-vs-dog`, `images` (a folder, scaled to 32 pixels, or as `images:64` says), or a shape
    /// of [`crate::data::generate::SHAPES`], as `disks:75`.
    pub data: String,
    /// Folder of a complete data set.
    pub data_dir: Option<PathBuf>,
    /// What images are normalised by, in place of the data set's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalisation: Option<Normalisation>,
    /// Of a table: the column of labels, or a .npy file of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Of a table: the columns that the network takes, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Names of the classes, in the order of the network's answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// The network.
    pub model: ModelKind,
    /// Its activation function.
    pub activation: Activation,
    /// How its weights are drawn.
    #[serde(default)]
    pub init: Init,
    /// Whether the activation's parameters are learnt.
    #[serde(default)]
    pub learn_activation: bool,
    /// Whether event files for TensorBoard are written into its folder.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tensorboard: bool,
    /// How it learns; its seed draws the weights too.
    pub settings: Settings,
}

impl Config {
    /// For a data set that is known by name, with weights as the activation wants them.
    pub fn new(data: &str, model: ModelKind, activation: Activation, settings: Settings) -> Self {
        Self {
            data: data.into(),
            data_dir: None,
            normalisation: None,
            label: None,
            columns: Vec::new(),
            classes: Vec::new(),
            model,
            activation,
            init: Init::Own,
            learn_activation: false,
            tensorboard: false,
            settings,
        }
    }

    /// Takes down what whoever uses the network has to know of its data: the names of the classes,
    /// and by what samples are normalised.
    #[must_use]
    pub fn describing(mut self, data: &DataSet) -> Self {
        self.classes.clone_from(&data.classes);
        if let (None, Some((mean, deviation))) = (&self.normalisation, data.train.normalisation()) {
            self.normalisation = Some(Normalisation { mean, deviation });
        }
        self
    }

    /// For a table: the columns that the network takes, and the means and deviations of those that
    /// it learns from, which bring every column to mean 0 and variance 1.
    ///
    /// # Errors
    /// As [`read_table`] and [`table_set`].
    pub fn standardised(mut self) -> Result<Self> {
        let Some(label) = self.label.clone() else { return Ok(self) };
        let path = Path::new(&self.data);
        self.columns = read_table(path, Some(&label), &[])?.columns;
        if self.normalisation.is_none() {
            let (mean, deviation) = standard(&table_set(path, &label)?.train);
            self.normalisation = Some(Normalisation { mean, deviation });
        }
        Ok(self)
    }

    /// The network that it describes, for samples of the shape and with the classes of some data.
    ///
    /// # Errors
    /// [`Error::Input`] where they do not fit each other, or private training is asked for and the
    /// network has batch norms.
    pub fn architecture(&self, data: &DataSet) -> Result<Arch> {
        let (classes, activation) = (data.classes.len(), self.activation.clone());
        let mut arch = match &self.model {
            ModelKind::Mlp { depth, width } => Arch::mlp_for(&data.train.shape, *depth, *width, classes, activation)?,
            ModelKind::Cnn { filters, hidden, norm } => {
                let arch = Arch::cnn(image(data)?, filters, *hidden, classes, activation)?;
                if *norm { arch } else { arch.without_norms() }
            }
            ModelKind::Zoo { name } => zoo::named(name, image(data)?, classes, activation)?,
            ModelKind::Given => return Err(Error::Internal("a given architecture is not made anew".into())),
        };
        if self.learn_activation && arch.activation.trainable().is_empty() {
            return Err(Error::input(format!("{} has no parameters that can be learnt", arch.activation)));
        }
        if self.settings.augment && data.train.shape.len() != 3 {
            return Err(Error::input(format!("only images can be mirrored and shifted, {} are not", data.name)));
        }
        arch.learn_activation = self.learn_activation;
        if self.settings.private.is_some() {
            Private::allows(&arch)?;
        }
        Ok(arch)
    }

    /// Its data, normalised as it says.
    ///
    /// # Errors
    /// As [`load_data`]; [`Error::Input`] when the normalisation does not fit.
    pub fn data_set(&self) -> Result<DataSet> {
        let mut data = match &self.label {
            Some(label) => table_set(Path::new(&self.data), label)?,
            None => load_data(&self.data, self.data_dir.as_deref(), self.settings.seed)?,
        };
        if let Some(by) = &self.normalisation {
            data.normalise(&by.mean, &by.deviation)?;
        }
        Ok(data)
    }
}

impl Run {
    /// A number that stands for the weights as they are now, so that results can tell whether they
    /// are of these.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn fingerprint(&self) -> Result<String> {
        let path = self.folder.join("weights.safetensors");
        let bytes = std::fs::read(&path).map_err(Error::io(&path, "read"))?;
        Ok(checksum(&bytes))
    }
}

/// What loads a run's network into PyTorch, beside its weights.
pub(crate) const LOADER: (&str, &str) = ("load_in_pytorch.py", include_str!("../../assets/pytorch/load_in_pytorch.py"));

/// A run's folder, with what it was made from.
#[derive(Clone, Debug)]
pub struct Run {
    /// Where it is.
    pub folder: PathBuf,
    /// How it was made.
    pub config: Config,
    /// What it trained.
    pub arch: Arch,
}

impl Run {
    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// [`Error::Input`] when there is a run already, or the configuration does not fit the data;
    /// [`Error::Io`].
    pub fn create(folder: &Path, config: Config, data: &DataSet) -> Result<Self> {
        let arch = config.architecture(data)?;
        Self::create_with(folder, config.describing(data), arch)
    }

    /// Makes the folder of a new run of a given architecture.
    ///
    /// # Errors
    /// As [`Run::create`].
    pub fn create_with(folder: &Path, config: Config, arch: Arch) -> Result<Self> {
        refuse_taken(folder)?;
        arch.shapes()?;
        create_folder(folder)?;
        write_json(&folder.join("arch.json"), &arch)?;
        write_json(&folder.join("config.json"), &config)?;
        write_text(&folder.join(LOADER.0), LOADER.1)?;
        Ok(Self { folder: folder.into(), config, arch })
    }

    /// Removes a run's folder, if there is one, for another to take its place.
    ///
    /// # Errors
    /// [`Error::Input`] for a folder that is not empty and holds no run; [`Error::Io`].
    pub fn remove(folder: &Path) -> Result<()> {
        if !folder.exists() {
            return Ok(());
        }
        let empty = std::fs::read_dir(folder).map_err(Error::io(folder, "read"))?.next().is_none();
        if !empty && !folder.join("config.json").exists() {
            return Err(Error::input(format!("{} holds no run, and only runs are replaced", folder.display())));
        }
        std::fs::remove_dir_all(folder).map_err(Error::io(folder, "remove"))
    }

    /// An error if a folder holds a run.
    ///
    /// # Errors
    /// [`Error::Input`].
    pub fn refuse_taken(folder: &Path) -> Result<()> {
        refuse_taken(folder)
    }

    /// Opens a run's folder.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::File`] naming the file that is missing or damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::file(folder, "there is no such run"));
        }
        let arch: Arch = read_json(&folder.join("arch.json"))?;
        arch.shapes().map_err(|e| Error::file(folder.join("arch.json"), e.to_string()))?;
        Ok(Self { folder: folder.into(), config: read_json(&folder.join("config.json"))?, arch })
    }

    /// The data that it was trained on.
    ///
    /// # Errors
    /// As [`load_data`]; [`Error::Input`] when it does not fit the network.
    pub fn data(&self) -> Result<DataSet> {
        let data = self.config.data_set()?;
        if data.train.shape != self.arch.input {
            return Err(Error::input(format!(
                "samples of {} have the shape {:?}, the network takes {:?}",
                data.name, data.train.shape, self.arch.input
            )));
        }
        if self.arch.classes()? != data.classes.len() {
            return Err(Error::input(format!(
                "{} has {} classes, the network {}",
                data.name,
                data.classes.len(),
                self.arch.classes()?
            )));
        }
        Ok(data)
    }

    /// Names of its classes. Runs of earlier versions read their data for them.
    ///
    /// # Errors
    /// As [`Run::data`].
    pub fn classes(&self) -> Result<Vec<String>> {
        if self.config.classes.is_empty() { Ok(self.data()?.classes) } else { Ok(self.config.classes.clone()) }
    }

    /// The trained network.
    ///
    /// # Errors
    /// As [`Net::load`].
    pub fn network(&self, compute: &Compute) -> Result<Net> {
        let weights = self.folder.join("weights.safetensors");
        if !weights.exists() {
            let message = "has no weights yet, for no epoch is through: resume its training";
            return Err(Error::file(&self.folder, message));
        }
        Net::load(&self.arch, &weights, &compute.device)
    }

    /// The epochs that are through.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::File`] with the line.
    pub fn metrics(&self) -> Result<Vec<EpochRecord>> {
        let path = self.folder.join("metrics.jsonl");
        if !path.exists() {
            return Ok(Vec::new());
        }
        let bytes = std::fs::read(&path).map_err(Error::io(&path, "read"))?;
        let text = String::from_utf8(bytes).map_err(|e| Error::file(&path, e.to_string()))?;
        let parse = |(i, l): (usize, &str)| serde_json::from_str(l).map_err(|e| Error::line(&path, i + 1, e.to_string()));
        text.lines().enumerate().map(parse).collect()
    }

    /// Trains to the configured number of epochs: from the last checkpoint if there is one, else
    /// from `start`, else from weights that the seed draws. Saves after every epoch, and when it is
    /// stopped.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when stopped, after saving; [`Error::File`] when there are results of
    /// training here but no checkpoint to go on from; as [`Trainer::epoch`]; [`Error::Io`] when
    /// nothing can be saved.
    pub fn train(&self, start: Option<Net>, data: &DataSet, compute: &Compute, watch: &mut dyn Watch) -> Result<Net> {
        self.train_observed(start, None, data, compute, watch, &mut |_, _| Ok(()))
    }

    /// As [`Run::train`], with the network whose answers are to be learnt if the settings say so
    /// ([`Gentle`](super::Gentle)), showing `observe` the network after every epoch, once
    /// everything is saved.
    ///
    /// # Errors
    /// As [`Run::train`], and whatever `observe` returns.
    pub fn train_observed(
        &self,
        start: Option<Net>,
        teacher: Option<&Net>,
        data: &DataSet,
        compute: &Compute,
        watch: &mut dyn Watch,
        observe: &mut dyn FnMut(&EpochRecord, &Net) -> Result<()>,
    ) -> Result<Net> {
        let settings = self.config.settings;
        let net = match start {
            Some(net) => net,
            // What came from elsewhere is not drawn anew.
            None if self.config.model == ModelKind::Given => self.network(compute)?,
            None => Net::with_init(&self.arch, settings.seed, self.config.init, None, &compute.device)?,
        };
        let mut trainer = Trainer::new(net, settings, &compute.device).on(compute.engine.gpu());
        if let Some(teacher) = teacher {
            trainer = trainer.taught_by(teacher);
        }
        let mut metrics = match trainer.load_checkpoint(&self.folder)? {
            Some(history) => {
                watch.note(&format!("going on after epoch {}", trainer.epochs_done()));
                history
            }
            None if !self.metrics()?.is_empty() => {
                return Err(Error::file(&self.folder, "was trained, but its checkpoint is gone: there is nothing to go on from"));
            }
            None => Vec::new(),
        };
        let parts = self.split(data);
        let (train, held_out) = parts.as_ref().map_or((&data.train, None), |(train, held_out)| (train, Some(held_out)));
        if trainer.epochs_done() > settings.epochs {
            let (done, asked) = (trainer.epochs_done(), settings.epochs);
            return Err(Error::input(format!("{done} epochs are through already, {asked} were asked for")));
        }
        if !metrics.is_empty() && trainer.is_between_epochs() {
            // A full disk may have cut off what follows a checkpoint.
            if EpochRecord::best(&metrics).is_none_or(|best| best + 1 == metrics.len()) {
                trainer.network().save(&self.folder.join("weights.safetensors"))?;
            }
            self.write_metrics(&metrics)?;
        }
        let begun = (std::time::Instant::now(), trainer.epochs_done());
        let mut events = self.config.tensorboard.then(|| Events::create(&self.folder)).transpose()?;
        while trainer.epochs_done() < settings.epochs && !self.is_over(&metrics) {
            let trained = trainer.epoch(train, watch);
            if let Err(Error::Interrupted(why)) = trained {
                trainer.save_checkpoint(&self.folder, &metrics)?;
                return Err(Error::Interrupted(format!("{why}; saved, to be resumed from there")));
            }
            let mut record = trained?;
            let net = trainer.network();
            let mut judged = |samples: &Samples| -> Result<Evaluation> {
                let answers = logits(&net, samples, &compute.device, &mut Patient(watch))?;
                Ok(Evaluation::new(&answers, &samples.labels, &data.classes))
            };
            let tested = judged(&data.test)?;
            (record.test_accuracy, record.test_loss) = (Some(tested.accuracy), Some(tested.loss));
            if let Some(held_out) = held_out {
                record.validation_loss = Some(judged(held_out)?.loss);
            }
            let left =
                (settings.epochs - record.epoch) as f64 * begun.0.elapsed().as_secs_f64() / (record.epoch - begun.1) as f64;
            let told = format!(
                "epoch {}: loss {:.4}, train {:.2} %, test {:.2} %, {:.1} s, {:.0} samples/s{}{}",
                record.epoch,
                record.train_loss,
                100.0 * record.train_accuracy,
                100.0 * record.test_accuracy.unwrap_or(0.0),
                record.seconds,
                train.len() as f64 / record.seconds.max(1e-9),
                match (record.epsilon, record.clipped, settings.private) {
                    (Some(epsilon), Some(clipped), Some(p)) => {
                        format!(", {:.0} % clipped, epsilon {epsilon:.3} at delta {:e} spent", 100.0 * clipped, p.delta)
                    }
                    _ => String::new(),
                },
                if left >= 1.0 { format!(", about {left:.0} s left") } else { String::new() }
            );
            metrics.push(record);
            // First what everything else can be made from again.
            trainer.save_checkpoint(&self.folder, &metrics)?;
            if EpochRecord::best(&metrics) == Some(metrics.len() - 1) || held_out.is_none() {
                net.save(&self.folder.join("weights.safetensors"))?;
            }
            self.write_metrics(&metrics)?;
            watch.note(&told);
            watch.live(&super::panel::panel(&metrics, settings.epochs));
            if let Some(record) = metrics.last() {
                if let Some(events) = &mut events {
                    events.scalars(record.epoch, &record.scalars())?;
                }
                observe(record, &net)?;
            }
        }
        if held_out.is_some()
            && let Some(best) = EpochRecord::best(&metrics)
        {
            watch.note(&format!(
                "the weights are those of epoch {}, whose loss on held-out training samples is the smallest{}",
                best + 1,
                if self.is_over(&metrics) { ": no epoch since was better, so training ended" } else { "" }
            ));
            return self.network(compute);
        }
        Ok(trainer.network())
    }

    /// What is learnt from, and what is held out of it to tell when to stop, if that is asked for:
    /// every tenth in an order that does not depend on the seed.
    fn split(&self, data: &DataSet) -> Option<(Samples, Samples)> {
        self.config.settings.patience?;
        let order = data.train.shuffled(0);
        let (held_out, rest) = order.split_at((order.len() / 10).max(1));
        Some((data.train.select(rest), data.train.select(held_out)))
    }

    /// Whether so many epochs have passed since the best one that training ends.
    fn is_over(&self, metrics: &[EpochRecord]) -> bool {
        let Some(patience) = self.config.settings.patience else { return false };
        EpochRecord::best(metrics).is_some_and(|best| metrics.len() - 1 - best >= patience)
    }

    /// Writes `metrics.jsonl` anew.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_metrics(&self, metrics: &[EpochRecord]) -> Result<()> {
        let line = |m| serde_json::to_string(m).map_err(|e| Error::Internal(e.to_string()));
        let lines = metrics.iter().map(line).collect::<Result<Vec<_>>>()?;
        write_text(&self.folder.join("metrics.jsonl"), &(lines.join("\n") + "\n"))
    }

    /// Writes `config.json` again after it was changed.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_config(&self) -> Result<()> {
        write_json(&self.folder.join("config.json"), &self.config)
    }

    /// Notes beside the configuration on what device the run was made.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_engine(&self, info: &EngineInfo) -> Result<()> {
        write_json(&self.folder.join("engine.json"), info)
    }
}

/// An error if a folder that is to hold results holds a run.
///
/// # Errors
/// [`Error::Input`].
pub(crate) fn refuse_run(folder: &Path) -> Result<()> {
    if folder.join("config.json").exists() {
        return Err(Error::setting(format!("{} holds a run: use another folder for results", folder.display()), &["out"]));
    }
    Ok(())
}

/// An error if a folder holds a run.
///
/// # Errors
/// [`Error::Input`].
pub(crate) fn refuse_taken(folder: &Path) -> Result<()> {
    if folder.join("config.json").exists() {
        let message = format!("{} holds a run already: use another folder, replace the run, or resume it", folder.display());
        return Err(Error::setting(message, &["out", "force", "resume"]));
    }
    Ok(())
}

/// Shows progress but is not stopped: an epoch that is through is also tested and saved.
struct Patient<'a>(&'a mut dyn Watch);

impl Watch for Patient<'_> {
    fn at(&mut self, what: &str, done: u64, total: u64) {
        self.0.at(what, done, total);
    }
    fn note(&mut self, line: &str) {
        self.0.note(line);
    }
    fn live(&mut self, lines: &str) {
        self.0.live(lines);
    }
}

fn image(data: &DataSet) -> Result<[usize; 3]> {
    match *data.train.shape {
        [c, h, w] => Ok([c, h, w]),
        _ => {
            let message = format!("the network needs images, {} are not: use a perceptron", data.name);
            Err(Error::setting(message, &["model mlp"]))
        }
    }
}
