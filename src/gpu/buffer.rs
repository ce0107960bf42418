//! Bytes to the device and back.

use super::Gpu;
use crate::error::{Error, Result};
use std::sync::atomic::{AtomicU64, Ordering};

static READ_BACK: AtomicU64 = AtomicU64::new(0);

/// How many bytes this process has copied from devices to the host through Lacuna so far.
///
/// Lets a test show that data stays on the device.
pub fn read_back_bytes() -> u64 {
    READ_BACK.load(Ordering::Relaxed)
}

/// Counts bytes that somebody else's copy has brought back.
#[cfg(feature = "nn")]
pub(crate) fn count_read_back(bytes: u64) {
    READ_BACK.fetch_add(bytes, Ordering::Relaxed);
}

const USAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC).union(wgpu::BufferUsages::COPY_DST);

/// A storage buffer of zeros, `words` times 4 bytes (at least four: empty bindings are not
/// allowed).
pub(crate) fn zeroed(gpu: &Gpu, label: &str, words: usize) -> Result<wgpu::Buffer> {
    create(gpu, label, words, false)
}

/// A storage buffer with this content.
pub(crate) fn upload<T: bytemuck::Pod>(gpu: &Gpu, label: &str, content: &[T]) -> Result<wgpu::Buffer> {
    let bytes: &[u8] = bytemuck::cast_slice(content);
    let buffer = create(gpu, label, bytes.len().div_ceil(4), true)?;
    gpu.scoped(label, || {
        if let Ok(mut view) = buffer.get_mapped_range_mut(..) {
            view.slice(..bytes.len()).copy_from_slice(bytes);
        }
        buffer.unmap();
    })?;
    Ok(buffer)
}

fn create(gpu: &Gpu, label: &str, words: usize, mapped: bool) -> Result<wgpu::Buffer> {
    let size = 4 * words.max(4) as u64; // shaders read up to four words at a time
    if size > gpu.max_binding() {
        return Err(Error::TooLarge(format!(
            "{label} need {size} bytes, but {} shows at most {} bytes to a shader at once",
            gpu.record().name,
            gpu.max_binding()
        )));
    }
    gpu.scoped(label, || {
        gpu.device().create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage: USAGE, mapped_at_creation: mapped })
    })
}

/// [`download`] for callers that cannot wait otherwise than by standing still.
#[cfg(test)]
pub(crate) fn download_now<T: bytemuck::Pod>(gpu: &Gpu, buffer: &wgpu::Buffer, first: usize, words: usize) -> Result<Vec<T>> {
    pollster::block_on(download(gpu, buffer, first, words))
}

/// Copies `words` 4-byte words from word `first` of a buffer to the host. Waits for all that was
/// submitted before.
pub(crate) async fn download<T: bytemuck::Pod>(gpu: &Gpu, buffer: &wgpu::Buffer, first: usize, words: usize) -> Result<Vec<T>> {
    if words == 0 {
        return Ok(Vec::new());
    }
    let size = 4 * words as u64;
    let (sender, mut receiver) = answer();
    let staging = gpu.scoped("reading results back", || {
        let staging = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("read back"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 4 * first as u64, &staging, 0, size);
        gpu.queue().submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., move |mapped| {
            let _ = sender.send(mapped);
        });
        staging
    })?;
    gpu.wait("reading results back").await?;
    match receiver.answer().await {
        Some(Ok(())) => {}
        Some(Err(e)) => return Err(Error::Device(format!("reading results back: {e}"))),
        None => return Err(Error::Device("reading results back: the device never answered".into())),
    }
    READ_BACK.fetch_add(size, Ordering::Relaxed);
    let view = staging.get_mapped_range(..).map_err(|e| Error::Device(format!("reading results back: {e}")))?;
    let values = bytemuck::pod_collect_to_vec(&view);
    drop(view);
    staging.unmap();
    Ok(values)
}

/// What a callback of the device will be called with.
struct Answer<T>(
    #[cfg(not(target_arch = "wasm32"))] std::sync::mpsc::Receiver<T>,
    #[cfg(target_arch = "wasm32")] futures_channel::oneshot::Receiver<T>,
);

#[cfg(not(target_arch = "wasm32"))]
fn answer<T>() -> (std::sync::mpsc::Sender<T>, Answer<T>) {
    let (sender, receiver) = std::sync::mpsc::channel();
    (sender, Answer(receiver))
}

#[cfg(target_arch = "wasm32")]
fn answer<T>() -> (futures_channel::oneshot::Sender<T>, Answer<T>) {
    let (sender, receiver) = futures_channel::oneshot::channel();
    (sender, Answer(receiver))
}

impl<T> Answer<T> {
    /// Waits for it; nothing if the device never calls back.
    #[cfg(not(target_arch = "wasm32"))]
    async fn answer(&mut self) -> Option<T> {
        // Another thread's poll may be the one that calls back, a moment later.
        self.0.recv_timeout(std::time::Duration::from_secs(60)).ok()
    }

    /// Waits for it; nothing if the device never calls back.
    #[cfg(target_arch = "wasm32")]
    async fn answer(&mut self) -> Option<T> {
        (&mut self.0).await.ok()
    }
}
