//! A device with its queue, opened with all that the adapter offers.

use super::adapter::{self, AdapterChoice, AdapterRecord};
use super::kernel::Kernel;
use super::source::Parts;
use crate::error::{Error, Result};
use std::collections::HashMap;
#[cfg(not(target_arch = "wasm32"))]
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};

/// A device that shaders run on. Cheap to clone; all clones are one device.
#[derive(Clone)]
pub struct Gpu {
    inner: Arc<Inner>,
}

struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    adapter: wgpu::Adapter,
    record: AdapterRecord,
    /// Why the device was lost, once it is.
    lost: Arc<Mutex<Option<String>>>,
    kernels: Mutex<HashMap<(&'static str, Parts), Arc<Kernel>>>,
    /// What was done, and what the browser will say of it.
    #[cfg(target_arch = "wasm32")]
    unheard: Mutex<Vec<(String, std::pin::Pin<Box<dyn Future<Output = Option<wgpu::Error>>>>)>>,
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gpu").field("adapter", &self.inner.record.name).finish_non_exhaustive()
    }
}

impl Gpu {
    /// Opens the adapter that is meant, with every feature and limit it has.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] when nothing fits, and in a browser, which opens nothing at once;
    /// [`Error::Device`] when the driver refuses.
    pub fn open(choice: &AdapterChoice) -> Result<Self> {
        if cfg!(target_arch = "wasm32") {
            return Err(Error::NoAdapter("the GPU of a browser is opened by Gpu::open_in_browser".into()));
        }
        let (adapter, record) = adapter::choose(choice)?;
        pollster::block_on(Self::open_this(adapter, record))
    }

    /// Opens the GPU that the browser offers, with every feature and limit that it gives away.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] in a browser without WebGPU, [`Error::Device`] when it refuses.
    #[cfg(target_arch = "wasm32")]
    pub async fn open_in_browser() -> Result<Self> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: wgpu::Backends::BROWSER_WEBGPU,
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let wanted = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..wgpu::RequestAdapterOptions::default()
        };
        let none = |_| Error::NoAdapter("this browser offers no GPU to pages (WebGPU)".into());
        let adapter = instance.request_adapter(&wanted).await.map_err(none)?;
        let mut record = AdapterRecord::new(0, &adapter);
        if record.name.is_empty() {
            record.name = "the browser's GPU".into();
        }
        Self::open_this(adapter, record).await
    }

    async fn open_this(adapter: wgpu::Adapter, record: AdapterRecord) -> Result<Self> {
        // burn decides what it may use from the adapter, not from the device: a device that is to
        // be shared with it must have everything but mappable primary buffers.
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("lacuna"),
            required_features: adapter.features()
                & !wgpu::Features::MAPPABLE_PRIMARY_BUFFERS
                & !wgpu::Features::all_experimental_mask(),
            required_limits: adapter.limits(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|e| Error::Device(format!("{} cannot be opened: {e}", record.name)))?;
        device.on_uncaptured_error(Arc::new(|e: wgpu::Error| eprintln!("lacuna: the device reports: {e}")));
        let lost = Arc::new(Mutex::new(None));
        let noted = Arc::clone(&lost);
        device.set_device_lost_callback(move |reason, message| {
            if let Ok(mut slot) = noted.lock() {
                *slot = Some(format!("{reason:?} {message}").trim().to_string());
            }
        });
        Ok(Self::new(adapter, device, queue, record, lost))
    }

    /// Takes a device that the caller opened, so that buffers of the caller's can be given to the
    /// engine. Which limits a device needs, the error says: request it with `adapter.limits()` for
    /// the largest clouds.
    ///
    /// # Errors
    /// [`Error::Device`] for a device whose limits are below what the shaders need.
    pub fn from_wgpu(adapter: wgpu::Adapter, device: wgpu::Device, queue: wgpu::Queue) -> Result<Self> {
        let limits = device.limits();
        let needs = [
            ("max_storage_buffers_per_shader_stage", limits.max_storage_buffers_per_shader_stage, 8),
            ("max_compute_invocations_per_workgroup", limits.max_compute_invocations_per_workgroup, 256),
            ("max_compute_workgroup_size_x", limits.max_compute_workgroup_size_x, 256),
            ("max_compute_workgroup_storage_size", limits.max_compute_workgroup_storage_size, 16_384),
        ];
        if let Some((name, has, need)) = needs.into_iter().find(|(_, has, need)| has < need) {
            return Err(Error::Device(format!("the device was opened with {name} = {has}; at least {need} are needed")));
        }
        let record = AdapterRecord::with(0, &adapter, &limits);
        Ok(Self::new(adapter, device, queue, record, Arc::default()))
    }

    /// Takes a device that burn created, and leaves its callbacks to burn.
    #[cfg(feature = "nn")]
    pub(crate) fn borrow(adapter: wgpu::Adapter, device: wgpu::Device, queue: wgpu::Queue, index: usize) -> Self {
        let record = AdapterRecord::new(index, &adapter);
        Self::new(adapter, device, queue, record, Arc::default())
    }

    /// The adapter that is meant, and how many of its kind come before it in the list.
    #[cfg(feature = "nn")]
    pub(crate) fn find(choice: &AdapterChoice) -> Result<(AdapterRecord, usize)> {
        let mut records = adapter::adapters();
        let record = records.swap_remove(adapter::find(&records, choice)?);
        let before = records.iter().filter(|r| r.index < record.index && r.kind == record.kind).count();
        Ok((record, before))
    }

    fn new(
        adapter: wgpu::Adapter,
        device: wgpu::Device,
        queue: wgpu::Queue,
        record: AdapterRecord,
        lost: Arc<Mutex<Option<String>>>,
    ) -> Self {
        let kernels = Mutex::default();
        Self {
            inner: Arc::new(Inner {
                device,
                queue,
                adapter,
                record,
                lost,
                kernels,
                #[cfg(target_arch = "wasm32")]
                unheard: Mutex::default(),
            }),
        }
    }

    /// The adapter's description.
    pub fn record(&self) -> &AdapterRecord {
        &self.inner.record
    }

    /// The device, for buffers that the engine is to read.
    pub fn device(&self) -> &wgpu::Device {
        &self.inner.device
    }

    /// The queue that the engine submits to.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.inner.queue
    }

    /// Writes numbers into a buffer of this device from byte `offset` on, after all that was
    /// submitted before.
    ///
    /// # Errors
    /// [`Error::Device`] when the buffer is too small or the device is lost.
    pub fn write(&self, buffer: &wgpu::Buffer, offset: u64, numbers: &[f32]) -> Result<()> {
        self.scoped("writing a buffer", || {
            self.inner.queue.write_buffer(buffer, offset, bytemuck::cast_slice(numbers));
            self.inner.queue.submit([]);
        })
    }

    /// Whether passes can be timed.
    pub(crate) fn has_timestamps(&self) -> bool {
        self.inner.adapter.features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// The largest array of bytes that one binding can show to a shader.
    pub(crate) fn max_binding(&self) -> u64 {
        adapter::usable_binding(&self.inner.device.limits())
    }

    /// Bindings to storage buffers that a shader may have.
    pub(crate) fn max_storage_buffers(&self) -> u32 {
        self.inner.device.limits().max_storage_buffers_per_shader_stage
    }

    /// The kernel of that name for arrays of these parts, built on its first use.
    pub(crate) fn kernel(
        &self,
        name: &'static str,
        parts: &Parts,
        build: impl FnOnce() -> Result<Kernel>,
    ) -> Result<Arc<Kernel>> {
        let mut kernels = self.inner.kernels.lock().map_err(|_| Error::Internal("a kernel build panicked".into()))?;
        let key = (name, parts.clone());
        if let Some(kernel) = kernels.get(&key) {
            return Ok(Arc::clone(kernel));
        }
        let kernel = Arc::new(build()?);
        kernels.insert(key, Arc::clone(&kernel));
        Ok(kernel)
    }

    /// Runs `work`, and turns whatever the device objects to into an error that begins with `what`.
    /// A browser objects later: the error then comes with the next [`Self::wait`].
    pub(crate) fn scoped<T>(&self, what: &str, work: impl FnOnce() -> T) -> Result<T> {
        self.check_alive(what)?;
        let device = &self.inner.device;
        let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
        let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let value = work();
        // Scopes end here, in the reverse order, whenever the answers come.
        let (validation, memory, internal) = (validation.pop(), memory.pop(), internal.pop());
        let objections = async move { validation.await.or(memory.await).or(internal.await) };
        self.hear(what, objections)?;
        Ok(value)
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn hear(&self, what: &str, objections: impl Future<Output = Option<wgpu::Error>>) -> Result<()> {
        let error = pollster::block_on(objections);
        if error.is_some() {
            // What has failed may be the device itself: its loss is told in a poll, once the queue
            // is empty.
            let patience = wgpu::PollType::Wait { submission_index: None, timeout: Some(std::time::Duration::from_secs(2)) };
            let _ = quiet_unwind(AssertUnwindSafe(|| self.inner.device.poll(patience)));
        }
        self.check_alive(what)?;
        error.map_or(Ok(()), |e| Err(self.objection(what, &e)))
    }

    #[cfg(target_arch = "wasm32")]
    fn hear(&self, what: &str, objections: impl Future<Output = Option<wgpu::Error>> + 'static) -> Result<()> {
        let mut unheard = self.inner.unheard.lock().map_err(|_| Error::Internal("an objection panicked".into()))?;
        unheard.push((what.to_string(), Box::pin(objections)));
        Ok(())
    }

    /// What the device objects to, as an error of ours.
    fn objection(&self, what: &str, error: &wgpu::Error) -> Error {
        match error {
            wgpu::Error::OutOfMemory { .. } => Error::TooLarge(format!(
                "{what}: {} is out of memory; use fewer or smaller buffers at once",
                self.inner.record.name
            )),
            e => Error::Device(format!("{what}: {e}")),
        }
    }

    /// Waits until everything submitted so far is done.
    ///
    /// # Errors
    /// [`Error::Device`] when the device is lost meanwhile.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) async fn wait(&self, what: &str) -> Result<()> {
        // wgpu panics in poll when the device is gone.
        let poll = AssertUnwindSafe(|| self.inner.device.poll(wgpu::PollType::wait_indefinitely()));
        match quiet_unwind(poll) {
            Ok(Ok(_)) => self.check_alive(what),
            Ok(Err(e)) => Err(Error::Device(format!("{what}: {e}"))),
            Err(()) => {
                self.check_alive(what)?;
                Err(Error::Device(format!("{what}: waiting for {} failed", self.inner.record.name)))
            }
        }
    }

    /// Waits until everything submitted so far is done, without holding up the page, and hears what
    /// the browser objected to.
    ///
    /// # Errors
    /// [`Error::Device`] and [`Error::TooLarge`] for an objection, [`Error::Device`] when
    /// the device is lost meanwhile.
    #[cfg(target_arch = "wasm32")]
    pub(crate) async fn wait(&self, what: &str) -> Result<()> {
        let (done, answer) = futures_channel::oneshot::channel();
        self.inner.queue.on_submitted_work_done(move || {
            let _ = done.send(());
        });
        // A lost device answers as well, or drops the callback.
        let _ = answer.await;
        loop {
            let mut unheard = self.inner.unheard.lock().map_err(|_| Error::Internal("an objection panicked".into()))?;
            let some: Vec<_> = unheard.drain(..).collect();
            drop(unheard);
            if some.is_empty() {
                return self.check_alive(what);
            }
            for (what, objection) in some {
                let error = objection.await;
                self.check_alive(&what)?;
                if let Some(e) = error {
                    return Err(self.objection(&what, &e));
                }
            }
        }
    }

    /// An error if the device is gone.
    pub(crate) fn check_alive(&self, what: &str) -> Result<()> {
        let lost = self.inner.lost.lock().map_err(|_| Error::Internal("the loss callback panicked".into()))?;
        match &*lost {
            None => Ok(()),
            Some(reason) => Err(Error::Device(format!("{what}: {} was lost ({reason})", self.inner.record.name))),
        }
    }

    /// Destroys the device as a driver reset would, to see what becomes of the work. For tests.
    #[doc(hidden)]
    pub fn simulate_loss(&self) {
        self.inner.device.destroy();
        #[cfg(not(target_arch = "wasm32"))]
        let _ = quiet_unwind(AssertUnwindSafe(|| self.inner.device.poll(wgpu::PollType::Poll)));
    }
}

/// Runs `f` and swallows a panic of wgpu's; the message still goes through the panic hook.
#[cfg(not(target_arch = "wasm32"))]
fn quiet_unwind<T>(f: impl FnOnce() -> T + std::panic::UnwindSafe) -> Result<T, ()> {
    std::panic::catch_unwind(f).map_err(|_| ())
}
