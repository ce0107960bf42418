//! Networks: activations, architectures, models, and the device that they share with the topology engine.

mod activation;
mod arch;
pub mod bridge;
mod device;
mod net;

pub use activation::{Activation, TABLE as ACTIVATIONS};
pub use arch::{Arch, Layer, Shape};
pub use device::{Compute, pin_default_device};
pub use net::{Flow, Net};
pub(crate) use net::{macs_of, parameters_of};
