//! Folders of photographs: `train/CLASS/*.jpg` and `test/CLASS/*.jpg` (or `val`), as cats and dogs
//! commonly lie.

use super::samples::{DataSet, Samples};
use crate::error::{Error, Result};
use image::imageops::FilterType;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Mean and deviation of pixels over 255 in photographs, over all channels (those of ImageNet,
/// averaged).
const SCALE: (f32, f32) = (0.449, 0.226);
/// Of every so many images one is for testing where there is no folder for it.
const TEST_OF: usize = 5;

/// Reads JPEG and PNG images, scaled to `side x side` pixels of three channels, what is too long
/// cut off on both sides. The classes are the folders' names in alphabetical order. Without `test`
/// or `val` every fifth image of each class, by name, is for testing; without `train` the classes
/// lie in the folder itself.
///
/// # Errors
/// [`Error::File`] naming the folder that is missing or empty, or the image that cannot be read.
pub fn read_image_folder(folder: &Path, side: usize) -> Result<DataSet> {
    if !folder.is_dir() {
        return Err(Error::file(folder, "there is no such folder"));
    }
    let under = |name: &str| Some(folder.join(name)).filter(|p| p.is_dir());
    let train_root = under("train").unwrap_or_else(|| folder.into());
    let test_root = under("test").or_else(|| under("val"));
    let classes: Vec<String> = entries(&train_root)?
        .into_iter()
        .filter(|p| p.is_dir() && Some(p) != test_root.as_ref())
        .filter_map(|p| p.file_name().and_then(|n| n.to_str()).map(String::from))
        .collect();
    if classes.len() < 2 || classes.len() > 256 {
        let n = classes.len();
        return Err(Error::file(&train_root, format!("holds {n} folders of images: one per class is needed, from 2 to 256")));
    }
    let files = |root: &Path| -> Result<Vec<(PathBuf, u8)>> {
        let mut found = Vec::new();
        for (label, class) in classes.iter().enumerate() {
            let folder = root.join(class);
            let images: Vec<PathBuf> = entries(&folder)?.into_iter().filter(|p| is_image(p)).collect();
            if images.is_empty() {
                return Err(Error::file(&folder, "holds no .jpg, .jpeg or .png"));
            }
            found.extend(images.into_iter().map(|p| (p, label as u8)));
        }
        Ok(found)
    };
    let all = files(&train_root)?;
    let (train, test) = match &test_root {
        Some(root) => (all, files(root)?),
        None => {
            // Every fifth of its class.
            let mut counts = vec![0usize; classes.len()];
            all.into_iter().partition(|(_, label)| {
                counts[usize::from(*label)] += 1;
                !counts[usize::from(*label)].is_multiple_of(TEST_OF)
            })
        }
    };
    let part = |files: Vec<(PathBuf, u8)>| {
        let pixels = files.par_iter().map(|(path, _)| pixels(path, side)).collect::<Result<Vec<_>>>()?;
        let labels = files.iter().map(|(_, label)| *label).collect();
        Samples::images([3, side, side], pixels.concat(), labels, SCALE.0, SCALE.1)
    };
    let name = folder.file_name().and_then(|n| n.to_str()).unwrap_or("images").to_string();
    DataSet { name, train: part(train)?, test: part(test)?, classes }.checked()
}

/// What lies in a folder, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = std::fs::read_dir(folder).map_err(Error::io(folder, "read"))?;
    let mut paths = Vec::new();
    for entry in listed {
        paths.push(entry.map_err(Error::io(folder, "read"))?.path());
    }
    paths.sort();
    Ok(paths)
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_lowercase();
    path.is_file() && ["jpg", "jpeg", "png"].contains(&ending.as_str())
}

/// Planes of an image, scaled to a height and a width, what is too long cut off on both sides: red,
/// green and blue, or one of grey.
///
/// # Errors
/// [`Error::File`] for a file that is no image, [`Error::Input`] for another number of planes than
/// 1 or 3.
pub fn image_planes(path: &Path, [channels, height, width]: [usize; 3]) -> Result<Vec<u8>> {
    let image = read_image(path)?.resize_to_fill(width as u32, height as u32, FilterType::Triangle);
    match channels {
        1 => Ok(image.to_luma8().into_raw()),
        3 => {
            let scaled = image.to_rgb8();
            Ok((0..3).flat_map(|c| scaled.pixels().map(move |p| p.0[c])).collect())
        }
        _ => Err(Error::input(format!("the network takes {channels} planes; images have 1 or 3"))),
    }
}

/// Red, green and blue planes of an image.
fn pixels(path: &Path, side: usize) -> Result<Vec<u8>> {
    image_planes(path, [3, side, side])
}

fn read_image(path: &Path) -> Result<image::DynamicImage> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    // The decoder fills up what is missing of a JPEG with grey.
    if bytes.starts_with(&[0xff, 0xd8]) && !bytes.windows(2).any(|w| w == [0xff, 0xd9]) {
        return Err(Error::file(path, "is a JPEG that ends before its end: truncated"));
    }
    // What a file is, its content says: endings lie.
    let reader = image::ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format().map_err(Error::io(path, "read"))?;
    reader.decode().map_err(|e| Error::file(path, format!("is damaged or no image: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, colour: [u8; 3], width: u32, height: u32) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_pixel(width, height, image::Rgb(colour)).save(path).unwrap();
    }

    #[test]
    fn classes_are_folders() {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..10 {
            write(&dir.path().join(format!("dog/{i}.png")), [255, 0, 0], 20, 12);
            write(&dir.path().join(format!("cat/{i}.jpg")), [0, 0, 255], 9, 30);
        }
        let set = read_image_folder(dir.path(), 8).unwrap();
        assert_eq!((set.classes, set.train.shape.clone()), (vec!["cat".to_string(), "dog".into()], vec![3, 8, 8]));
        assert_eq!((set.train.len(), set.test.len()), (16, 4));
        let dog = set.test.gather(&[3]);
        assert_eq!(set.test.labels[3], 1);
        assert!(dog[0] > 2.0 && dog[64] < -1.0 && dog.len() == 192);
        // With folders of their own.
        for class in ["cat", "dog"] {
            write(&dir.path().join(format!("split/train/{class}/a.png")), [9, 9, 9], 8, 8);
            write(&dir.path().join(format!("split/val/{class}/b.png")), [9, 9, 9], 8, 8);
        }
        let set = read_image_folder(&dir.path().join("split"), 8).unwrap();
        assert_eq!((set.train.len(), set.test.len()), (2, 2));
    }

    #[test]
    fn broken_images_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let says = |what: &str| {
            let e = read_image_folder(dir.path(), 8).unwrap_err();
            assert!(e.to_string().contains(what) && e.exit_code() == 2, "{e}");
        };
        says("one per class is needed");
        write(&dir.path().join("a/1.png"), [1, 2, 3], 8, 8);
        std::fs::create_dir_all(dir.path().join("b")).unwrap();
        says("holds no .jpg");
        write(&dir.path().join("b/whole.png"), [1, 2, 3], 64, 64);
        let bytes = std::fs::read(dir.path().join("b/whole.png")).unwrap();
        std::fs::write(dir.path().join("b/torn.png"), &bytes[..bytes.len() / 2]).unwrap();
        says("torn.png");
        std::fs::write(dir.path().join("b/torn.png"), b"not an image").unwrap();
        says("damaged or no image");
        write(&dir.path().join("b/torn.jpg"), [1, 2, 3], 64, 64);
        let bytes = std::fs::read(dir.path().join("b/torn.jpg")).unwrap();
        std::fs::write(dir.path().join("b/torn.png"), &bytes[..bytes.len() / 2]).unwrap();
        std::fs::remove_file(dir.path().join("b/torn.jpg")).unwrap();
        says("ends before its end");
    }
}
