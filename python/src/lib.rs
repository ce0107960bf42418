//! `lacuna_tda._core`: arrays in, arrays out. What a Python user writes is in the Python files
//! beside this crate; nothing here knows their conventions.

mod engines;
mod found;
mod given;
mod run;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::engines::devices;
    #[pymodule_export]
    use super::found::{Found, bottleneck, page, wasserstein};
    #[pymodule_export]
    use super::given::Cloud;
    #[pymodule_export]
    use super::run::{barcodes, barcodes_of_batch, barcodes_of_points, betti_numbers};
}
