//! Data sets by their names.

use crate::data::generate::{self, Request};
use crate::data::image_folder;
use crate::data::images::{self, ImageSet};
use crate::data::{DataSet, disks};
use crate::error::{Error, Result};
use std::path::Path;

/// The sets of images that are known by name.
const SETS: [&str; 5] = ["fashion-mnist", "mnist", "cifar-10", "cat-vs-dog", "images"];

/// A name without the number behind its colon, and that number if there is one.
fn parts(name: &str) -> (&str, Option<&str>) {
    name.split_once(':').map_or((name, None), |(shape, copies)| (shape, Some(copies)))
}

/// Whether a name is that of points whose Betti numbers are known, with or without a number of
/// copies.
pub fn is_generated(name: &str) -> bool {
    generate::SHAPES.iter().any(|s| s.name == parts(name).0)
}

/// The data set of a name, from a folder if there is one.
///
/// # Errors
/// [`Error::Input`] for an unknown name, [`Error::File`] for a folder that does not hold it.
pub fn load_data(name: &str, folder: Option<&Path>, seed: u64) -> Result<DataSet> {
    let (shape, copies) = parts(name);
    if is_generated(name) {
        if folder.is_some() {
            return Err(Error::setting(format!("the {shape} are generated: they need no folder"), &["data-dir"]));
        }
        return generated(shape, copies, seed);
    }
    let (name, side) = match (shape, copies) {
        ("images" | "cat-vs-dog", Some(side)) => {
            let bad = || Error::input(format!("'{side}' is not a side of images in pixels, from 8 to 512"));
            (shape, side.parse().ok().filter(|s| (8..=512).contains(s)).ok_or_else(bad)?)
        }
        _ => (name, 32),
    };
    match (name, folder) {
        ("fashion-mnist", None) => images::bundled(),
        ("fashion-mnist", Some(folder)) => images::read_folder(folder, ImageSet::FashionMnist),
        ("mnist", Some(folder)) => images::read_folder(folder, ImageSet::Mnist),
        ("cifar-10", Some(folder)) => images::read_folder(folder, ImageSet::Cifar10),
        ("cat-vs-dog", Some(folder)) if folder.join("train").is_dir() => image_folder::read_image_folder(folder, side),
        ("cat-vs-dog", Some(_)) if copies.is_some() => {
            Err(Error::input("the cats and dogs of CIFAR-10 have 32 pixels: a side is for a folder of images"))
        }
        ("cat-vs-dog", Some(folder)) => images::read_folder(folder, ImageSet::Cifar10)?.of_classes("cat-vs-dog", &[3, 5]),
        ("images", Some(folder)) => image_folder::read_image_folder(folder, side),
        ("mnist" | "cifar-10" | "cat-vs-dog" | "images", None) => {
            Err(Error::setting(format!("{name} is not bundled: give the folder of its files"), &["data-dir"]))
        }
        _ => {
            let known: Vec<&str> = SETS.into_iter().chain(generate::SHAPES.iter().map(|s| s.name)).collect();
            let known = Error::unknown("data set", name, &known);
            let message = format!(
                "{known}; a shape with a number of copies as in disks:75, or a table as FILE.csv and the column of its labels"
            );
            Err(Error::setting(message, &["label"]))
        }
    }
}

/// Generated points: 4,000 to learn from, more where many copies need them, and as many or more to
/// judge by.
fn generated(shape: &str, copies: Option<&str>, seed: u64) -> Result<DataSet> {
    if shape == "disks" && copies.is_none() {
        return disks(4000, seed);
    }
    let bad = |c: &str| Error::input(format!("'{c}' is not a number of copies"));
    let copies = copies.map(|c| c.parse::<usize>().map_err(|_| bad(c))).transpose()?;
    let request = Request::new(shape, 4000, seed)?;
    let train = (request.shape.points_per_copy * copies.unwrap_or(request.shape.copies).min(1 << 20)).max(4000);
    Request { copies, train, test: train, ..request }.generate()
}

/// The generated points of a name, the more of them: three times as many as [`load_data`] gives to
/// learn from, of the same layout.
///
/// # Errors
/// As [`load_data`].
pub(crate) fn dense_data(name: &str) -> Result<DataSet> {
    let (shape, copies) = parts(name);
    if shape == "disks" && copies.is_none() {
        return disks(15_000, 0);
    }
    let copies = copies.and_then(|c| c.parse().ok());
    let request = Request::new(shape, 4000, 0)?;
    let train = 3 * (request.shape.points_per_copy * copies.unwrap_or(request.shape.copies)).max(4000);
    Request { copies, train, test: 2, ..request }.generate()
}
