//! Networks: activations, architectures, models, and the device that they share with the topology engine.

mod activation;
mod arch;
pub mod bridge;
mod device;
pub mod fused;
mod init;
pub mod mean_field;
mod net;

pub use activation::{ALIASES, Activation, Entry, Parameter, TABLE as ACTIVATIONS};
pub(crate) use activation::{WIDTH, fast_exp};
pub use arch::{Arch, Layer, Shape};
pub use device::{Compute, pin_default_device};
pub use init::Init;
pub(crate) use init::draw;
pub use net::{Flow, Net};
pub(crate) use net::{macs_of, parameters_of};
