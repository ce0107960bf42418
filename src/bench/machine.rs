//! What the figures were measured on.

use crate::gpu::adapters;
use serde::Serialize;

/// A description of this machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's own name, if the system says.
    pub processor: String,
    /// Threads that can run at once.
    pub threads: usize,
    /// GiB of memory, if the system says.
    pub memory_gib: Option<f64>,
    /// Operating system and architecture.
    pub system: String,
    /// Names and drivers of its GPUs.
    pub adapters: Vec<String>,
    /// This program's version.
    pub lacuna: String,
}

impl Machine {
    /// Asks the system.
    pub fn this() -> Self {
        let line = |file: &str, key: &str| {
            let text = std::fs::read_to_string(file).ok()?;
            let line = text.lines().find(|l| l.starts_with(key))?;
            line.split_once(':').map(|(_, value)| value.trim().to_string())
        };
        let memory = line("/proc/meminfo", "MemTotal").and_then(|m| m.split_whitespace().next()?.parse::<f64>().ok());
        Self {
            processor: line("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".into()),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: memory.map(|kib| (kib / 1024.0 / 102.4).round() / 10.0),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            adapters: adapters().iter().map(|a| format!("{} ({})", a.name, a.driver)).collect(),
            lacuna: env!("CARGO_PKG_VERSION").into(),
        }
    }

    /// A short name for folders.
    pub fn name(&self) -> String {
        let words = format!("{} {} threads", self.processor, self.threads);
        let clean: String = words.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
        clean.split('-').filter(|w| !w.is_empty()).collect::<Vec<_>>().join("-")
    }
}
