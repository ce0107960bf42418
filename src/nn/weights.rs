//! Weights in files: PyTorch's names and shapes, so that both sides read each other's.
//!
//! A network is written as safetensors under the names of its architecture ([`Arch::names`]),
//! linear weights as `[output, input]`, batch norms as `weight`, `bias`, `running_mean`,
//! `running_var`. Read are safetensors and what `torch.save` writes (`.pt`, `.pth`, `.th`, zip or
//! legacy, a state dict alone or inside a checkpoint). Names are matched after `module.` and
//! `state_dict.` are taken off in front; if they are others altogether, layers are matched by kind
//! (convolution, norm, linear) in the natural order of their names, and shapes must fit.

use super::{Arch, Layer, Net, bridge};
use crate::data::files::checksum;
use crate::error::{Error, Result};
use burn::module::{Module, Param, RunningState};
use burn::store::{ModuleStore, PytorchStore};
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::BTreeMap;
use std::path::Path;

/// One tensor: its shape, and its numbers row by row.
pub type Entry = (Vec<usize>, Vec<f32>);

/// Tensors by name.
pub type StateDict = BTreeMap<String, Entry>;

/// Reads all tensors of floating-point numbers of a file.
///
/// # Errors
/// [`Error::Io`], or [`Error::File`] for a file that is damaged or holds numbers of other types
/// than f32 and f64.
pub fn read_state(path: &Path) -> Result<StateDict> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    // A zip or a pickle; safetensors begins with the length of its JSON, whose first byte may be
    // that of a pickle.
    let by_torch = bytes.starts_with(b"PK") || bytes.starts_with(&[0x80]);
    let tensors = if by_torch && bytes.get(8) != Some(&b'{') { torch_tensors(path)? } else { safe_tensors(path, &bytes)? };
    let plain = |name: String| {
        let mut rest = name.as_str();
        while let Some(shorter) = ["module.", "state_dict.", "model_state_dict."].iter().find_map(|p| rest.strip_prefix(p)) {
            rest = shorter;
        }
        rest.to_string()
    };
    Ok(tensors.into_iter().filter(|(n, _)| !n.ends_with("num_batches_tracked")).map(|(n, t)| (plain(n), t)).collect())
}

fn floats(path: &Path, name: &str, dtype: &str, bytes: &[u8]) -> Result<Vec<f32>> {
    match dtype {
        "F32" => Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()),
        "F64" => {
            let number = |b: &[u8]| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32;
            Ok(bytes.chunks_exact(8).map(number).collect())
        }
        other => Err(Error::file(path, format!("the tensor '{name}' has the type {other}: save weights as float32"))),
    }
}

fn safe_tensors(path: &Path, bytes: &[u8]) -> Result<StateDict> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| Error::file(path, format!("is neither safetensors nor written by torch.save: {e} (truncated?)")))?;
    let mut found = StateDict::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::I64 {
            let numbers = floats(path, &name, &format!("{:?}", view.dtype()), view.data())?;
            found.insert(name, (view.shape().to_vec(), numbers));
        }
    }
    let header = SafeTensors::read_metadata(bytes).ok().and_then(|(_, header)| header.metadata().clone());
    let noted = header.and_then(|notes| notes.get(CHECKSUM).cloned());
    if noted.is_some_and(|sum| sum != checksum_of(&found)) {
        return Err(Error::file(path, "was changed since it was written, or is damaged: its checksum is another one"));
    }
    Ok(found)
}

/// Under what name a file of weights holds the checksum of its tensors.
const CHECKSUM: &str = "lacuna.checksum";

/// A number that stands for all names and numbers.
fn checksum_of(state: &StateDict) -> String {
    let mut bytes = Vec::new();
    for (name, (_, numbers)) in state {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
    }
    checksum(&bytes)
}

fn torch_tensors(path: &Path) -> Result<StateDict> {
    let says = |e: &dyn std::fmt::Display| Error::file(path, format!("cannot be read as torch.save writes it: {e}"));
    let open = |key: Option<&str>| match key {
        Some(key) => PytorchStore::from_file(path).with_top_level_key(key),
        None => PytorchStore::from_file(path),
    };
    // Names stay as they are: numbers in them have gaps where layers have no weights.
    let open = |key| open(key).map_indices_contiguous(false);
    let mut problem = None;
    // In a checkpoint the state dict lies beside what the optimiser keeps, which is no part of the
    // network.
    for key in [Some("state_dict"), Some("model_state_dict"), Some("model"), None] {
        let mut store = open(key);
        match store.get_all_tensors() {
            Ok(tensors) if !tensors.is_empty() => {
                let mut found = StateDict::new();
                for (name, tensor) in tensors {
                    if name.ends_with("num_batches_tracked") {
                        continue;
                    }
                    let bytes = tensor.to_bytes().map_err(|e| says(&e))?;
                    found.insert(
                        name.clone(),
                        (tensor.shape.to_vec(), floats(path, name, &format!("{:?}", tensor.dtype), &bytes)?),
                    );
                }
                return Ok(found);
            }
            Ok(_) => {}
            // The last try is the file itself: what it says is what is wrong.
            Err(e) if key.is_none() => problem = Some(says(&e)),
            Err(_) => {}
        }
    }
    Err(problem.unwrap_or_else(|| Error::file(path, "holds no tensors")))
}

/// Names with their numbers compared as numbers.
fn natural(name: &str) -> Vec<(String, u64)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let digits = rest[text..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - text);
        parts.push((rest[..text].to_string(), rest[text..text + digits].parse().unwrap_or(0)));
        rest = &rest[text + digits..];
    }
    parts
}

/// What kind of layer a name's tensors belong to.
fn kind(layer: &Layer) -> usize {
    match layer {
        Layer::Conv { .. } => 0,
        Layer::BatchNorm { .. } => 1,
        _ => 2,
    }
}

/// The names of an architecture's layers in a file: its own if they are there, else those of the
/// same kind in natural order.
fn places(arch: &Arch, state: &StateDict, path: &Path) -> Result<Vec<(usize, String)>> {
    let own = arch.weight_names();
    if own.iter().any(|(_, name)| state.contains_key(&format!("{name}.weight"))) {
        return Ok(own);
    }
    let mut of_kind: [Vec<&str>; 3] = Default::default();
    for (name, (shape, _)) in state {
        if let Some(layer) = name.strip_suffix(".weight") {
            match shape.len() {
                4 => of_kind[0].push(layer),
                1 => of_kind[1].push(layer),
                2 => of_kind[2].push(layer),
                _ => {}
            }
        }
    }
    for names in &mut of_kind {
        names.sort_by_key(|n| natural(n));
    }
    for (k, what) in ["convolutions", "batch norms", "linear layers"].into_iter().enumerate() {
        let need = arch.layers.iter().filter(|l| l.has_weights() && kind(l) == k).count();
        if need != of_kind[k].len() {
            let have = of_kind[k].len();
            return Err(Error::file(path, format!("holds {have} {what}, the network of arch.json has {need}")));
        }
    }
    let mut next = of_kind.map(|names| names.into_iter().map(String::from).collect::<Vec<_>>().into_iter());
    Ok(own.into_iter().filter_map(|(at, _)| Some((at, next[kind(&arch.layers[at])].next()?))).collect())
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Result<Entry> {
    Ok((tensor.dims().to_vec(), bridge::read(tensor.clone())?))
}

impl Net {
    /// All weights under PyTorch's names, in PyTorch's shapes.
    ///
    /// # Errors
    /// [`Error::Device`] when they cannot be read back.
    pub fn state(&self) -> Result<StateDict> {
        // Only a plain copy holds the last update of the running statistics.
        let net = self.valid();
        let mut state = StateDict::new();
        let mut put = |name: &str, what: &str, entry: Entry| state.insert(format!("{name}.{what}"), entry);
        for (at, name) in self.arch.weight_names() {
            match self.arch.layers[at] {
                Layer::Conv { .. } => {
                    let conv = net.conv(at);
                    put(&name, "weight", values(&conv.weight.val())?);
                    if let Some(bias) = &conv.bias {
                        put(&name, "bias", values(&bias.val())?);
                    }
                }
                Layer::BatchNorm { .. } => {
                    let norm = net.norm(at);
                    put(&name, "weight", values(&norm.gamma.val())?);
                    put(&name, "bias", values(&norm.beta.val())?);
                    put(&name, "running_mean", values(&norm.running_mean.value_sync())?);
                    put(&name, "running_var", values(&norm.running_var.value_sync())?);
                }
                _ => {
                    let linear = net.linear(at);
                    put(&name, "weight", values(&linear.weight.val().transpose())?);
                    if let Some(bias) = &linear.bias {
                        put(&name, "bias", values(&bias.val())?);
                    }
                }
            }
        }
        for at in 0..self.arch.layers.len() {
            if let Some(learnt) = net.learnt(at) {
                put(&format!("layers.{at}"), "parameters", values(&learnt)?);
            }
        }
        Ok(state)
    }

    /// Writes the weights as safetensors, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    pub fn save(&self, path: &Path) -> Result<()> {
        let state = self.state()?;
        let encoding = |e: &dyn std::fmt::Display| Error::Internal(format!("encoding the weights: {e}"));
        let views = state
            .iter()
            .map(|(name, (shape, numbers))| {
                Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(numbers)).map_err(|e| encoding(&e))?))
            })
            .collect::<Result<Vec<_>>>()?;
        let notes = std::collections::HashMap::from([(CHECKSUM.to_string(), checksum_of(&state))]);
        let bytes = safetensors::serialize(views, Some(notes)).map_err(|e| encoding(&e))?;
        crate::data::files::write_atomically(path, |w| w.write_all(&bytes))
    }

    /// Reads weights for an architecture.
    ///
    /// # Errors
    /// As [`read_state`] and [`Net::from_state`].
    pub fn load(arch: &Arch, path: &Path, device: &Device) -> Result<Self> {
        Self::from_state(arch, &read_state(path)?, path, device)
    }

    /// A network of an architecture with the weights of a state dict; `path` is named in errors.
    ///
    /// # Errors
    /// [`Error::File`] naming the tensor that is missing, does not fit (with both shapes), is not
    /// finite, or that nothing takes.
    pub fn from_state(arch: &Arch, state: &StateDict, path: &Path, device: &Device) -> Result<Self> {
        let mut net = Self::empty(arch, device)?;
        let mut left: std::collections::BTreeSet<&str> = state.keys().map(String::as_str).collect();
        let mut take = |name: &str, what: &str, shape: &[usize]| -> Result<TensorData> {
            let full = format!("{name}.{what}");
            let (have, numbers) = state
                .get(&full)
                .ok_or_else(|| Error::file(path, format!("has no tensor '{full}', which the network of arch.json needs")))?;
            if have != shape {
                return Err(Error::file(
                    path,
                    format!("the tensor '{full}' has the shape {have:?}, the network needs {shape:?}"),
                ));
            }
            if let Some(at) = numbers.iter().position(|x| !x.is_finite()) {
                return Err(Error::file(path, format!("the tensor '{full}' holds {} at {at}", numbers[at])));
            }
            left.remove(full.as_str());
            Ok(TensorData::new(numbers.clone(), shape.to_vec()))
        };
        let vector = |data: TensorData| Tensor::<1>::from_data(data, device);
        for (at, name) in places(arch, state, path)? {
            match arch.layers[at] {
                Layer::Conv { input, output, kernel, groups, bias, .. } => {
                    let weight = take(&name, "weight", &[output, input / groups, kernel.rows, kernel.columns])?;
                    let bias = bias.then(|| take(&name, "bias", &[output])).transpose()?;
                    let conv = net.conv_mut(at);
                    conv.weight = Param::from_tensor(Tensor::from_data(weight, device));
                    conv.bias = bias.map(|b| Param::from_tensor(vector(b)));
                }
                Layer::BatchNorm { channels } => {
                    let [gamma, beta, mean, var] =
                        ["weight", "bias", "running_mean", "running_var"].map(|w| take(&name, w, &[channels]));
                    let (gamma, beta, mean, var) = (gamma?, beta?, mean?, var?);
                    let norm = net.norm_mut(at);
                    norm.gamma = Param::from_tensor(vector(gamma));
                    norm.beta = Param::from_tensor(vector(beta));
                    norm.running_mean = RunningState::new(vector(mean));
                    norm.running_var = RunningState::new(vector(var));
                }
                Layer::Linear { input, output } => {
                    let (weight, bias) = (take(&name, "weight", &[output, input])?, take(&name, "bias", &[output])?);
                    // Turned on the host: a turned view of a tensor is summed in another order.
                    let rows = weight.try_to_vec::<f32>().map_err(|e| Error::Internal(format!("{e:?}")))?;
                    let turned = (0..input * output).map(|i| rows[i % output * input + i / output]).collect();
                    let weight = TensorData::new::<f32, _>(turned, [input, output]);
                    let linear = net.linear_mut(at);
                    linear.weight = Param::from_tensor(Tensor::from_data(weight, device));
                    linear.bias = Some(Param::from_tensor(vector(bias)));
                }
                _ => {}
            }
        }
        let activations = arch.layers.iter().enumerate().filter(|(_, l)| matches!(l, Layer::Activation { .. })).map(|(at, _)| at);
        for (learnt, at) in net.learnt_mut().zip(activations) {
            let count = arch.activation.trainable().len();
            *learnt = Param::from_tensor(vector(take(&format!("layers.{at}"), "parameters", &[count])?));
        }
        if let Some(extra) = left.first() {
            return Err(Error::file(path, format!("holds the tensor '{extra}', which the network of arch.json does not have")));
        }
        Ok(net)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, zoo};

    fn small() -> Arch {
        Arch::cnn([1, 8, 8], &[4, 6], 12, 3, Activation::parse("relu").unwrap()).unwrap()
    }

    fn logits(net: &Net) -> Vec<f32> {
        let width: usize = net.arch.input.iter().product();
        let data: Vec<f32> = (0..5 * width).map(|i| (i as f32 * 0.37).sin()).collect();
        net.forward(Tensor::<2>::from_data(TensorData::new(data, [5, width]), &Device::flex())).try_into_vec_as().unwrap()
    }

    #[test]
    fn a_saved_network_gives_the_same_logits() {
        let device = Device::flex();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.safetensors");
        let relu = || Activation::parse("relu").unwrap();
        let mut learnt = Arch::mlp(4, 3, 5, 2, Activation::parse("fold:0.5,1").unwrap()).unwrap();
        learnt.learn_activation = true;
        for arch in [
            small(),
            zoo::named("resnet20:0.25", [1, 8, 8], 3, relu()).unwrap(),
            zoo::named("vgg11", [1, 32, 32], 3, relu()).unwrap(),
            learnt,
        ] {
            let net = Net::new(&arch, 3, &device).unwrap();
            net.save(&path).unwrap();
            let again = Net::load(&arch, &path, &device).unwrap();
            assert_eq!(logits(&net), logits(&again));
            assert!(logits(&net).iter().any(|x| x.abs() > 1e-3));
            // One other bit in the last number.
            let mut bytes = std::fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(&path, bytes).unwrap();
            assert!(Net::load(&arch, &path, &device).unwrap_err().to_string().contains("checksum"));
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let device = Device::flex();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.safetensors");
        let net = Net::new(&small(), 3, &device).unwrap();
        net.save(&path).unwrap();
        let says = |arch: &Arch, what: &str| {
            let e = Net::load(arch, &path, &device).unwrap_err();
            assert!(e.to_string().contains(what) && e.exit_code() == 2, "{e}");
        };
        let relu = || Activation::parse("relu").unwrap();
        let wider = Arch::cnn([1, 8, 8], &[4, 7], 12, 3, relu()).unwrap();
        says(&wider, "'layers.4.weight' has the shape [6, 4, 3, 3], the network needs [7, 4, 3, 3]");
        says(&Arch::cnn([1, 8, 8], &[4], 12, 3, relu()).unwrap(), "layers.");
        let mut renamed = small();
        renamed.names = ["a", "b", "c2", "d", "e", "f"].map(String::from).to_vec();
        assert_eq!(logits(&Net::load(&renamed, &path, &device).unwrap()), logits(&net), "matched by kind and order");
        let mut state = net.state().unwrap();
        state.get_mut("layers.0.weight").unwrap().1[3] = f32::NAN;
        assert!(Net::from_state(&small(), &state, &path, &device).unwrap_err().to_string().contains("holds NaN at 3"));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        says(&small(), "truncated");
        std::fs::write(&path, b"PK\x03\x04 and no more").unwrap();
        says(&small(), "torch.save");
    }

    #[test]
    fn natural_order_counts() {
        let mut names = ["layer10.a", "layer2.b", "layer2.a", "fc", "layer2.a.12", "layer2.a.3"];
        names.sort_by_key(|n| natural(n));
        assert_eq!(names, ["fc", "layer2.a", "layer2.a.3", "layer2.a.12", "layer2.b", "layer10.a"]);
    }

    /// A header of so many bytes that the file begins as a pickle does.
    #[test]
    fn a_length_that_looks_like_a_pickle() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.safetensors");
        let numbers = [1.0f32.to_le_bytes(), 2.0f32.to_le_bytes()].concat();
        let header = |length: usize| {
            let json = r#"{"a.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
            format!("{json}{}", " ".repeat(length - json.len()))
        };
        for length in [0x80usize, 0x280, 88] {
            let header = header(length);
            let bytes = [&(length as u64).to_le_bytes()[..], header.as_bytes(), &numbers].concat();
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(read_state(&path).unwrap()["a.weight"], (vec![2], vec![1.0, 2.0]), "{length}");
        }
    }
}
