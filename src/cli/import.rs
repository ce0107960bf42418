//! `lacuna import`

use super::engine::EngineArgs;
use super::print;
use super::progress::Progress;
use super::train::normalisation;
use clap::Args;
use lacuna::data::files::read_json;
use lacuna::data::lock_folder;
use lacuna::nn::{Activation, Arch, Net, read_state, zoo};
use lacuna::train::{Config, ModelKind, Optimiser, Run, Settings, accuracy, load_data};
use lacuna::{Error, Result};
use std::path::PathBuf;

#[derive(Clone, Debug, Args)]
#[command(group = clap::ArgGroup::new("network").required(true))]
#[command(
    after_help = "Example:\n  lacuna import net/weights.safetensors --arch net/arch.json --data images --data-dir DIR --out runs/n"
)]
pub struct Import {
    /// Weights: .pt, .pth or .th as torch.save writes them, or .safetensors
    weights: PathBuf,
    /// Folder for the run
    #[arg(long, short)]
    out: PathBuf,
    /// Replace the run that is in --out
    #[arg(long)]
    force: bool,
    /// The network: vgg11, vgg16 (-bn), resnet20, resnet56, basicnet, mobilenet
    #[arg(long, group = "network")]
    model: Option<String>,
    /// The network, as an arch.json
    #[arg(long, value_name = "FILE", group = "network")]
    arch: Option<PathBuf>,
    /// Activation function of --model [default: relu]
    #[arg(long, conflicts_with = "arch")]
    activation: Option<Activation>,
    /// Data that it was trained on, as `lacuna train` names them
    #[arg(long)]
    data: String,
    /// Folder with the data
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Means that images are normalised by, of pixels over 255: one, or one per channel [default:
    /// the data set's]
    #[arg(long, value_delimiter = ',', requires = "deviation")]
    mean: Vec<f32>,
    /// Deviations that images are normalised by
    #[arg(long, value_delimiter = ',', requires = "mean")]
    deviation: Vec<f32>,
    /// Learning rate of a later recovery, by sgd with momentum 0.9 and weight decay 1e-4
    #[arg(long, value_name = "RATE", default_value_t = 0.01)]
    lr: f64,
    /// Samples per step of a later recovery
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// Mirror and shift images in a later recovery
    #[arg(long)]
    augment: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Import {
    pub fn run(&self, quiet: bool) -> Result<()> {
        // First what does not need the data.
        let state = read_state(&self.weights)?;
        let data_dir = self.data_dir.as_ref().map(|d| std::fs::canonicalize(d).unwrap_or_else(|_| d.clone()));
        let mut data = load_data(&self.data, data_dir.as_deref(), 0)?;
        let by = normalisation(&self.mean, &self.deviation);
        if let Some(by) = &by {
            data.normalise(&by.mean, &by.deviation)?;
        }
        let activation = self.activation.clone().map_or_else(|| "relu".parse(), Ok)?;
        let arch: Arch = match (&self.arch, &self.model) {
            (Some(path), _) => {
                let arch: Arch = read_json(path)?;
                arch.shapes().map_err(|e| Error::file(path, e.to_string()))?;
                arch
            }
            (None, Some(model)) => {
                let [c, h, w] = *data.train.shape else {
                    return Err(Error::input(format!("{model} needs images, {} are not", data.name)));
                };
                zoo::named(model, [c, h, w], data.classes.len(), activation.clone())?
            }
            (None, None) => return Err(Error::input("say which network it is, with --model or --arch")),
        };
        let optimiser =
            Optimiser { momentum: 0.9, weight_decay: 1e-4, ..Optimiser::new(lacuna::train::OptimiserKind::Sgd, self.lr) };
        optimiser.check()?;
        let config = Config {
            data_dir,
            normalisation: by,
            learn_activation: arch.learn_activation,
            ..Config::new(
                &self.data,
                ModelKind::Given,
                arch.activation.clone(),
                Settings { augment: self.augment, ..Settings::new(0, self.batch, optimiser, 0) },
            )
        };
        let config = config.describing(&data);
        let compute = self.engine.compute(quiet)?;
        // Before there is a folder: what does not fit leaves nothing behind.
        if arch.input != data.train.shape || arch.classes()? != data.classes.len() {
            return Err(Error::input(format!(
                "the network takes {:?} and knows {} classes; {} has {:?} and {}",
                arch.input,
                arch.classes()?,
                data.name,
                data.train.shape,
                data.classes.len()
            )));
        }
        let _lock = lock_folder(&self.out)?;
        if !self.force {
            Run::refuse_taken(&self.out)?;
        }
        let net = Net::from_state(&arch, &state, &self.weights, &compute.device)?;
        // The folder comes last: whoever stops the test finds nothing half done.
        let mut progress = Progress::new(quiet);
        let right = accuracy(&net, &data.test, &compute.device, &mut progress)?;
        drop(progress);
        if self.force {
            Run::remove(&self.out)?;
        }
        let run = Run::create_with(&self.out, config, arch)?;
        net.save(&run.folder.join("weights.safetensors"))?;
        run.write_engine(&compute.engine.info())?;
        print(&format!(
            "{}: {}, {} parameters, {:.2} % on {} test samples of {}\n",
            run.folder.display(),
            run.arch.title(),
            net.parameters(),
            100.0 * right,
            data.test.len(),
            data.name
        ))
    }
}
