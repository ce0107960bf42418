//! Everything a stopped training needs to go on, in one folder that is there whole or not at all.

use super::trainer::{EpochRecord, Progress, Settings, Trainer};
use crate::data::files::{checksum, create_folder, read_json, write_atomically, write_json};
use crate::error::{Error, Result};
use crate::nn::bridge::take_unread;
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The file of checksums in a checkpoint's folder.
const SUMS: &str = "checksums.json";

const NAMES: [&str; 3] = ["checkpoint", "checkpoint.old", "checkpoint.new"];

fn places(run: &Path) -> [PathBuf; 3] {
    NAMES.map(|n| run.join(n))
}

/// Where the newest complete checkpoint of a run is, if there is one.
pub(crate) fn find(run: &Path) -> Option<PathBuf> {
    let [now, old, _] = places(run);
    [now, old].into_iter().find(|p| p.join("state.json").is_file())
}

/// Puts a checkpoint in the place of the one before: network, optimiser, and what else is needed to
/// go on.
///
/// # Errors
/// [`Error::Io`] with the path; the checkpoint before is then still there.
pub(crate) fn save(run: &Path, net: ModuleRecord, optimiser: &ModuleOptimizer, state: &impl Serialize) -> Result<()> {
    let [now, old, new] = places(run);
    let written = write(&new, net, optimiser, state);
    if written.is_err() {
        let _ = remove(&new);
    }
    written?;
    if now.exists() {
        remove(&old)?;
        fs::rename(&now, &old).map_err(Error::io(&now, "rename"))?;
    }
    fs::rename(&new, &now).map_err(Error::io(&new, "rename"))?;
    remove(&old)
}

/// Takes all checkpoints of a run away.
///
/// # Errors
/// [`Error::Io`] with the path.
pub(crate) fn clear(run: &Path) -> Result<()> {
    places(run).iter().try_for_each(|p| remove(p))
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() { fs::remove_dir_all(folder).map_err(Error::io(folder, "remove")) } else { Ok(()) }
}

fn write(new: &Path, net: ModuleRecord, optimiser: &ModuleOptimizer, state: &impl Serialize) -> Result<()> {
    let encode = |what: &str, e: &dyn std::fmt::Display| Error::Internal(format!("encoding {what}: {e}"));
    remove(new)?;
    create_folder(new)?;
    let net = net.into_bytes().map_err(|e| encode("the network", &e))?;
    write_atomically(&new.join("model.bpk"), |w| w.write_all(&net))?;
    let optimiser = optimiser.into_bytes().map_err(|e| encode("the optimiser", &e))?;
    if let Some(why) = take_unread() {
        return Err(why);
    }
    write_atomically(&new.join("optimiser.bpk"), |w| w.write_all(&optimiser))?;
    write_json(&new.join(SUMS), &BTreeMap::from([("model.bpk", checksum(&net)), ("optimiser.bpk", checksum(&optimiser))]))?;
    write_json(&new.join("state.json"), state)
}

/// What a checkpoint's folder holds besides its state: the network's record, and the optimiser.
///
/// # Errors
/// [`Error::File`] when one of the two is damaged; [`Error::NoAdapter`] on a machine without any
/// adapter, unless [`crate::nn::pin_default_device`] was called, as the program does: burn puts the
/// optimiser's state on its default device first.
pub(crate) fn read(folder: &Path, optimiser: ModuleOptimizer) -> Result<(ModuleRecord, ModuleOptimizer)> {
    let damaged = |name: &str, e: &dyn std::fmt::Display| Error::file(folder.join(name), format!("damaged: {e}"));
    // Checkpoints of earlier versions have no sums.
    let sums = folder.join(SUMS);
    let sums: BTreeMap<String, String> = if sums.is_file() { read_json(&sums)? } else { BTreeMap::new() };
    let bytes = |name: &str| {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(Error::io(&path, "read"))?;
        match sums.get(name) {
            Some(sum) if *sum != checksum(&bytes) => Err(damaged(name, &"its checksum is another one")),
            _ => Ok(Bytes::from_bytes_vec(bytes)),
        }
    };
    let record = ModuleRecord::from_bytes(bytes("model.bpk")?).map_err(|e| damaged("model.bpk", &e))?;
    // burn would panic.
    if std::env::var_os("BURN_DEVICE").is_none() && crate::gpu::adapters().is_empty() {
        return Err(Error::NoAdapter(
            "a checkpoint cannot be read without an adapter: call lacuna::nn::pin_default_device first thing in main".into(),
        ));
    }
    let optimiser = optimiser.from_bytes(bytes("optimiser.bpk")?).map_err(|e| damaged("optimiser.bpk", &e))?;
    Ok((record, optimiser))
}

impl Trainer {
    /// Saves network, optimiser, position, and the records of the epochs so far under a run's
    /// folder, replacing the checkpoint before.
    ///
    /// # Errors
    /// [`Error::Io`] with the path; the checkpoint before is then still there.
    pub fn save_checkpoint(&self, run: &Path, history: &[EpochRecord]) -> Result<()> {
        save(run, self.net.valid().into_record(), &self.optimiser, &(self.settings, self.progress, history))
    }

    /// Goes on from the newest checkpoint of a run, and returns the records of its epochs; `None`,
    /// and nothing is changed, if there is none.
    ///
    /// # Errors
    /// [`Error::File`] when the checkpoint is damaged or belongs to other settings; a larger number
    /// of epochs is fine. [`Error::NoAdapter`] on a machine without any adapter, unless
    /// [`crate::nn::pin_default_device`] was called, as the program does.
    pub fn load_checkpoint(&mut self, run: &Path) -> Result<Option<Vec<EpochRecord>>> {
        let Some(folder) = find(run) else { return Ok(None) };
        let (settings, progress, history): (Settings, Progress, Vec<EpochRecord>) = read_json(&folder.join("state.json"))?;
        if !self.settings.continues(&settings) {
            return Err(Error::file(&folder, "was saved with other settings: resume with those of config.json"));
        }
        let (record, optimiser) = read(&folder, self.settings.optimiser.build())?;
        // Versions differ in how they name tensors.
        let other = |e| Error::file(folder.join("model.bpk"), format!("damaged, or saved by another version of Lacuna: {e}"));
        self.net = self.net.clone().try_load_record(record).map_err(other)?;
        self.optimiser = optimiser;
        self.progress = progress;
        Ok(Some(history))
    }
}
