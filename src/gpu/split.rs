//! Arrays that may be larger than what one binding shows: in several buffers (see `source.rs`).

use super::{Gpu, Parts, download, upload, zeroed};
use crate::error::Result;

/// An array of words in one or more buffers.
pub(crate) struct Split {
    buffers: Vec<wgpu::Buffer>,
    /// Words of each but the last.
    part: usize,
}

impl Split {
    /// So many words, all zero, cut as `parts` says.
    pub fn zeroed(gpu: &Gpu, label: &str, words: usize, parts: &Parts) -> Result<Self> {
        let part = parts.words as usize;
        let sizes = (0..words.div_ceil(part).max(1)).map(|i| part.min(words - i * part));
        Ok(Self { buffers: sizes.map(|size| zeroed(gpu, label, size)).collect::<Result<_>>()?, part })
    }

    /// With this content, a word an element.
    pub fn upload<T: bytemuck::Pod>(gpu: &Gpu, label: &str, content: &[T], parts: &Parts) -> Result<Self> {
        let part = parts.words as usize;
        if content.is_empty() {
            return Self::zeroed(gpu, label, 0, parts);
        }
        Ok(Self { buffers: content.chunks(part).map(|some| upload(gpu, label, some)).collect::<Result<_>>()?, part })
    }

    /// All of it as a binding.
    pub fn all(&self) -> (&[wgpu::Buffer], u64, u64) {
        (&self.buffers, 0, 0)
    }

    /// Overwrites the beginning, which lies in the first part, after all that was submitted before.
    pub fn write_beginning(&self, gpu: &Gpu, what: &str, content: &[u32]) -> Result<()> {
        gpu.scoped(what, || gpu.queue().write_buffer(&self.buffers[0], 0, bytemuck::cast_slice(content)))
    }

    /// Copies `words` words from word `first` on to the host, as [`download`].
    pub async fn download(&self, gpu: &Gpu, first: usize, words: usize) -> Result<Vec<u32>> {
        let mut found = Vec::with_capacity(words);
        while found.len() < words {
            let at = first + found.len();
            let some = (self.part - at % self.part).min(words - found.len());
            found.extend(download::<u32>(gpu, &self.buffers[at / self.part], at % self.part, some).await?);
        }
        Ok(found)
    }
}
