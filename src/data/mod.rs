//! Reading and writing: clouds, images, results. Knows nothing of engines or networks.

pub mod files;
pub mod points;
mod results;

pub use results::{barcode_csv, barcode_npy, barcode_pers};
