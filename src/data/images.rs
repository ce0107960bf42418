//! Image data sets: IDX (MNIST and its kin), CIFAR-10 binary, and the bundled part of
//! Fashion-MNIST.

use super::samples::{DataSet, Samples};
use crate::error::{Error, Result};
use flate2::read::GzDecoder;
use std::io::Read;
use std::path::{Path, PathBuf};

const FASHION: [&str; 10] =
    ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];
const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const CIFAR: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Mean and deviation of Fashion-MNIST's training pixels over 255.
const FASHION_SCALE: (f32, f32) = (0.286, 0.353);
/// The same of MNIST.
const MNIST_SCALE: (f32, f32) = (0.1307, 0.3081);
/// The same of CIFAR-10, over all channels.
const CIFAR_SCALE: (f32, f32) = (0.473, 0.251);
/// Numbers an IDX file may promise; more is a damaged header.
const MOST_BYTES: usize = 1 << 31;

const BUNDLED: [(&str, &[u8]); 4] = [
    ("assets/fashion-mnist/train-images-idx3-ubyte.gz", include_bytes!("../../assets/fashion-mnist/train-images-idx3-ubyte.gz")),
    ("assets/fashion-mnist/train-labels-idx1-ubyte.gz", include_bytes!("../../assets/fashion-mnist/train-labels-idx1-ubyte.gz")),
    ("assets/fashion-mnist/t10k-images-idx3-ubyte.gz", include_bytes!("../../assets/fashion-mnist/t10k-images-idx3-ubyte.gz")),
    ("assets/fashion-mnist/t10k-labels-idx1-ubyte.gz", include_bytes!("../../assets/fashion-mnist/t10k-labels-idx1-ubyte.gz")),
];

/// The bundled part of Fashion-MNIST: the first 6,000 training and 1,000 test images of the real
/// set (Zalando, MIT licence).
///
/// # Errors
/// None in a sound build.
pub fn bundled() -> Result<DataSet> {
    let [a, b, c, d] = BUNDLED.map(|(name, bytes)| (PathBuf::from(name), bytes.to_vec()));
    idx_set(ImageSet::FashionMnist, [a, b, c, d])
}

/// The image data sets that are known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageSet {
    /// 28 x 28 pieces of clothing.
    FashionMnist,
    /// 28 x 28 digits.
    Mnist,
    /// 32 x 32 colour photographs.
    Cifar10,
}

impl ImageSet {
    fn name(self) -> &'static str {
        match self {
            ImageSet::FashionMnist => "fashion-mnist",
            ImageSet::Mnist => "mnist",
            ImageSet::Cifar10 => "cifar-10",
        }
    }
}

/// Reads a data set from a folder: the four IDX files of MNIST or Fashion-MNIST, plain or `.gz`, or
/// CIFAR-10's `data_batch_1.bin` to `data_batch_5.bin` (those that are there) and `test_batch.bin`.
/// A folder with complete data sets, each in a folder of its name, will do as well.
///
/// # Errors
/// [`Error::File`] naming the file that is missing, truncated or damaged.
pub fn read_folder(folder: &Path, set: ImageSet) -> Result<DataSet> {
    if !folder.is_dir() {
        return Err(Error::file(folder, "there is no such folder"));
    }
    let named = folder.join(set.name());
    let folder = if named.is_dir() { &named } else { folder };
    if set == ImageSet::Cifar10 {
        let batches: Vec<PathBuf> = (1..=5).map(|i| folder.join(format!("data_batch_{i}.bin"))).filter(|p| p.is_file()).collect();
        if batches.is_empty() {
            return Err(Error::file(folder, "holds no data_batch_1.bin to data_batch_5.bin: not CIFAR-10 in its binary form"));
        }
        let train: Vec<_> = batches.iter().map(|p| cifar_batch(p)).collect::<Result<_>>()?;
        let test = cifar_batch(&folder.join("test_batch.bin"))?;
        return cifar_set(train.concat(), test);
    }
    let names = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
    let mut files = Vec::new();
    for name in names {
        let plain = folder.join(name);
        let path = if plain.is_file() { plain } else { folder.join(format!("{name}.gz")) };
        if !path.is_file() {
            return Err(Error::file(folder, format!("holds neither {name} nor {name}.gz: not {} in its IDX form", set.name())));
        }
        let bytes = std::fs::read(&path).map_err(Error::io(&path, "read"))?;
        files.push((path, bytes));
    }
    let files: [_; 4] = files.try_into().map_err(|_| Error::Internal("four files were read".into()))?;
    idx_set(set, files)
}

fn idx_set(set: ImageSet, [train_images, train_labels, test_images, test_labels]: [(PathBuf, Vec<u8>); 4]) -> Result<DataSet> {
    let (names, scale) = if set == ImageSet::Mnist { (DIGITS, MNIST_SCALE) } else { (FASHION, FASHION_SCALE) };
    let part = |images: (PathBuf, Vec<u8>), labels: (PathBuf, Vec<u8>)| {
        let (path, labels_path) = (images.0.clone(), labels.0.clone());
        let (dims, pixels) = parse_idx(&images.0, images.1)?;
        let (label_dims, labels) = parse_idx(&labels.0, labels.1)?;
        let (&[count, height, width], &[label_count]) = (dims.as_slice(), label_dims.as_slice()) else {
            return Err(Error::file(path, format!("has {} dimensions where images have 3 and labels 1", dims.len())));
        };
        if count != label_count {
            return Err(Error::file(labels_path, format!("holds {label_count} labels for {count} images")));
        }
        Samples::images([1, height, width], pixels, labels, scale.0, scale.1)
    };
    let (train, test) = (part(train_images, train_labels)?, part(test_images, test_labels)?);
    DataSet { name: set.name().into(), classes: names.map(String::from).to_vec(), train, test }.checked()
}

/// Dimensions and bytes of an IDX file of unsigned bytes, plain or compressed.
///
/// # Errors
/// [`Error::File`] for anything that is not one, or not all of one.
pub fn parse_idx(path: &Path, bytes: Vec<u8>) -> Result<(Vec<usize>, Vec<u8>)> {
    let mut raw = bytes;
    if raw.starts_with(&[0x1f, 0x8b]) {
        let broken = |e: std::io::Error| Error::file(path, format!("cannot be decompressed: {e} (truncated?)"));
        let mut plain = Vec::new();
        let mut packed = GzDecoder::new(raw.as_slice());
        // What the header promises, at most: a small file may unpack to any size.
        packed.by_ref().take(4 + 4 * 255).read_to_end(&mut plain).map_err(broken)?;
        let rank = plain.get(3).map_or(0, |&r| usize::from(r));
        let dims = plain.get(4..4 + 4 * rank).unwrap_or_default().chunks_exact(4);
        let sizes = dims.map(|b| u64::from(u32::from_be_bytes([b[0], b[1], b[2], b[3]])));
        let promised = sizes.fold(1u64, u64::saturating_mul);
        if promised <= MOST_BYTES as u64 {
            packed.take(promised + 8).read_to_end(&mut plain).map_err(broken)?;
        }
        raw = plain;
    }
    if raw.len() < 4 || raw[0] != 0 || raw[1] != 0 {
        return Err(Error::file(path, "is not an IDX file: it does not begin with two zero bytes"));
    }
    if raw[2] != 8 {
        return Err(Error::file(path, format!("holds IDX type {:#04x}, only unsigned bytes (0x08) are read", raw[2])));
    }
    let rank = usize::from(raw[3]);
    let header = 4 + 4 * rank;
    if raw.len() < header || rank == 0 {
        return Err(Error::file(path, "ends within its header: truncated"));
    }
    let dims: Vec<usize> =
        raw[4..header].chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize).collect();
    let count = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| n <= MOST_BYTES);
    let have = raw.len() - header;
    match count {
        Some(n) if n == have => Ok((dims, raw.split_off(header))),
        Some(n) => {
            Err(Error::file(path, format!("promises {n} bytes of data ({dims:?}) and holds {have}: truncated or damaged")))
        }
        None => Err(Error::file(path, format!("promises {dims:?} numbers, more than 2 GiB: damaged"))),
    }
}

const CIFAR_RECORD: usize = 1 + 3 * 32 * 32;

fn cifar_batch(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    if bytes.is_empty() || !bytes.len().is_multiple_of(CIFAR_RECORD) {
        return Err(Error::file(
            path,
            format!("{} bytes are not a whole number of {CIFAR_RECORD}-byte records: truncated?", bytes.len()),
        ));
    }
    if let Some(at) = bytes.iter().step_by(CIFAR_RECORD).position(|&label| label > 9) {
        return Err(Error::file(path, format!("record {at} has the label {}: CIFAR-10 has 0 to 9", bytes[at * CIFAR_RECORD])));
    }
    Ok(bytes)
}

fn cifar_set(train: Vec<u8>, test: Vec<u8>) -> Result<DataSet> {
    let part = |records: Vec<u8>| {
        let (mut labels, mut pixels) = (Vec::new(), Vec::with_capacity(records.len()));
        for record in records.chunks_exact(CIFAR_RECORD) {
            labels.push(record[0]);
            pixels.extend_from_slice(&record[1..]);
        }
        Samples::images([3, 32, 32], pixels, labels, CIFAR_SCALE.0, CIFAR_SCALE.1)
    };
    let (train, test) = (part(train)?, part(test)?);
    DataSet { name: "cifar-10".into(), classes: CIFAR.map(String::from).to_vec(), train, test }.checked()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn idx(dims: &[u32], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|d| d.to_be_bytes()));
        bytes.extend(data);
        bytes
    }

    #[test]
    fn the_bundled_part_is_real_and_balanced() {
        let set = bundled().unwrap();
        assert_eq!((set.train.len(), set.test.len()), (6000, 1000));
        assert_eq!(set.train.shape, [1, 28, 28]);
        for class in 0..10 {
            let count = set.train.of_class(class).len();
            assert!((500..700).contains(&count), "class {class}: {count}");
        }
        let values = set.train.gather(&set.train.shuffled(1));
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 0.05, "{mean}");
    }

    #[test]
    fn damaged_idx_files_are_explained() {
        let path = Path::new("x-idx");
        let says = |bytes: Vec<u8>, what: &str| {
            let e = parse_idx(path, bytes).unwrap_err();
            assert!(e.to_string().contains(what), "{e}");
            assert_eq!(e.exit_code(), 2);
        };
        assert_eq!(parse_idx(path, idx(&[2, 3], &[1; 6])).unwrap().0, [2, 3]);
        says(idx(&[2, 3], &[1; 5]), "promises 6 bytes of data ([2, 3]) and holds 5");
        says(vec![0, 0, 8, 3, 0, 0], "ends within its header");
        says(vec![1, 2, 3, 4], "not an IDX file");
        says(vec![0, 0, 13, 1, 0, 0, 0, 1, 0], "type 0x0d");
        says(idx(&[u32::MAX, u32::MAX, u32::MAX], &[]), "more than 2 GiB");
        let gz = &BUNDLED[1].1[..200];
        says(gz.to_vec(), "cannot be decompressed");
    }

    #[test]
    fn folders_that_are_not_data_sets_are_explained() {
        assert!(read_folder(Path::new("/nonexistent"), ImageSet::Mnist).unwrap_err().to_string().contains("no such folder"));
        let dir = tempfile::tempdir().unwrap();
        let e = read_folder(dir.path(), ImageSet::FashionMnist).unwrap_err();
        assert!(e.to_string().contains("holds neither train-images-idx3-ubyte"), "{e}");
        std::fs::write(dir.path().join("data_batch_1.bin"), vec![0u8; 100]).unwrap();
        assert!(read_folder(dir.path(), ImageSet::Cifar10).unwrap_err().to_string().contains("3073-byte records"));
        let mut record = vec![7u8; CIFAR_RECORD];
        std::fs::write(dir.path().join("data_batch_1.bin"), record.repeat(3)).unwrap();
        std::fs::write(dir.path().join("test_batch.bin"), &record).unwrap();
        let set = read_folder(dir.path(), ImageSet::Cifar10).unwrap();
        assert_eq!((set.train.len(), set.test.len(), set.train.shape), (3, 1, vec![3, 32, 32]));
        let sets = tempfile::tempdir().unwrap();
        std::fs::create_dir(sets.path().join("cifar-10")).unwrap();
        for name in ["data_batch_1.bin", "test_batch.bin"] {
            std::fs::copy(dir.path().join(name), sets.path().join("cifar-10").join(name)).unwrap();
        }
        assert_eq!(read_folder(sets.path(), ImageSet::Cifar10).unwrap().train.len(), 3);
        let e = read_folder(sets.path(), ImageSet::Mnist).unwrap_err();
        assert!(e.to_string().contains("holds neither train-images-idx3-ubyte"), "{e}");
        record[0] = 10;
        std::fs::write(dir.path().join("test_batch.bin"), &record).unwrap();
        assert!(read_folder(dir.path(), ImageSet::Cifar10).unwrap_err().to_string().contains("label 10"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..100), head: bool) {
            let mut all = if head { vec![0, 0, 8] } else { vec![] };
            all.extend(bytes);
            let _ = parse_idx(Path::new("x"), all);
        }
    }
}
