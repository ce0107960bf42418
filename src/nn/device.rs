//! Where networks and the topology engine run: one device for both.

use crate::error::{Error, Result};
use crate::gpu::{AdapterChoice, AdapterRecord, Gpu};
use crate::topology::{Engine, EngineKind};
use burn::tensor::wgpu::{MemoryConfiguration, wgpu as burn_wgpu};
use burn::tensor::{Device, DeviceKind};
use std::sync::Mutex;

/// A burn device and the engine that reads its tensors.
///
/// On a GPU both are the same wgpu device, so activations reach the shaders without leaving it.
/// Without one, burn-flex trains and the native engine computes.
#[derive(Clone, Debug)]
pub struct Compute {
    /// For plain tensors; `.autodiff()` for training.
    pub device: Device,
    /// Computes barcodes.
    pub engine: Engine,
}

/// burn creates a device once per process and adapter; those that it has created.
static CREATED: Mutex<Vec<(usize, Device, Gpu)>> = Mutex::new(Vec::new());

impl Compute {
    /// Native training and the native engine.
    pub fn cpu() -> Self {
        Self { device: Device::flex(), engine: Engine::cpu() }
    }

    /// What is asked for: see [`Engine::new`].
    ///
    /// # Errors
    /// [`Error::NoAdapter`] when a GPU is asked for and there is none, [`Error::Device`] when it
    /// cannot be opened.
    pub fn new(kind: EngineKind, adapter: &AdapterChoice) -> Result<Self> {
        let named = *adapter != AdapterChoice::Best;
        // Asked once: every answer lists the machine's adapters anew.
        let choice = (kind == EngineKind::Auto && !named).then(Engine::auto_choice);
        let wants_gpu = choice.as_ref().map_or(kind != EngineKind::Cpu, |(gpu, _)| *gpu);
        let (device, engine) = if wants_gpu {
            let (device, gpu) = shared_device(adapter)?;
            (device, Engine::on(gpu))
        } else {
            (Device::flex(), Engine::new(EngineKind::Cpu, adapter)?)
        };
        let engine = match choice {
            Some((_, why)) => engine.because(why),
            None => engine,
        };
        Ok(Self { device, engine })
    }
}

fn shared_device(choice: &AdapterChoice) -> Result<(Device, Gpu)> {
    let (record, nth_of_kind) = Gpu::find(choice)?;
    let mut created = CREATED.lock().map_err(|_| Error::Internal("creating a device panicked".into()))?;
    if let Some((_, device, gpu)) = created.iter().find(|(index, ..)| *index == record.index) {
        return Ok((device.clone(), gpu.clone()));
    }
    let failed = |why: String| Error::Device(format!("{} cannot be opened for training: {why}", record.name));
    let (device, setup) = Device::wgpu_options()
        .device_kind(kind_of(&record, nth_of_kind))
        // Each tensor in a buffer of its own: shared pages cannot be read and written in one
        // dispatch.
        .memory_config(MemoryConfiguration::ExclusivePages)
        .init_with_setup()
        .map_err(|e| failed(e.to_string()))?;
    let opened = setup.adapter.get_info();
    if opened.name != record.name {
        return Err(failed(format!("the driver opened {} instead", opened.name)));
    }
    let adapter: burn_wgpu::Adapter = setup.adapter;
    let gpu = Gpu::borrow(adapter, setup.device, setup.queue, record.index);
    created.push((record.index, device.clone(), gpu.clone()));
    Ok((device, gpu))
}

fn kind_of(record: &AdapterRecord, nth: usize) -> DeviceKind {
    match record.kind.as_str() {
        "discrete" => DeviceKind::DiscreteGpu(nth),
        "integrated" => DeviceKind::IntegratedGpu(nth),
        "virtual" => DeviceKind::VirtualGpu(nth),
        "software" => DeviceKind::Cpu,
        _ => DeviceKind::DefaultDevice,
    }
}

/// Lets the process keep memory that it has freed, for the next tensors.
///
/// Training on the processor makes and frees tensors of some megabytes all the time. The C library
/// of Linux gives them back to the system and asks for them again, which takes a quarter of an
/// epoch's time: 6.8 s in place of 4.9 for a small network on two cores. Elsewhere this does
/// nothing.
#[allow(unsafe_code, reason = "the C library is told so by a call")]
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const TRIM_THRESHOLD: i32 = -1;
        const MMAP_THRESHOLD: i32 = -3;
        unsafe extern "C" {
            fn mallopt(parameter: i32, value: i32) -> i32;
        }
        // SAFETY: the call sets two numbers under the allocator's own lock, and what it cannot set
        // it leaves as it was.
        unsafe {
            mallopt(MMAP_THRESHOLD, 32 << 20);
            mallopt(TRIM_THRESHOLD, 1 << 30);
        }
    }
}

/// Makes burn's implicit default device the native one.
///
/// burn puts an optimiser's saved state on its default device before it moves it to the right one.
/// That would be a GPU, and a panic where there is none. To be called first thing in `main`, before
/// there are threads.
///
/// # Safety
/// No other thread may read or write the environment meanwhile.
#[allow(unsafe_code, reason = "burn reads this choice from the environment and from nowhere else")]
pub unsafe fn pin_default_device() {
    // SAFETY: the caller's promise.
    unsafe { std::env::set_var("BURN_DEVICE", "flex") };
}
