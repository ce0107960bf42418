//! `lacuna devices`

use super::{print, print_json};
use clap::Args;
use lacuna::Result;
use lacuna::gpu::{AdapterRecord, adapters};
use lacuna::report::Table;
use lacuna::topology::Engine;

#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  lacuna devices")]
pub struct Devices {
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Answer {
    adapters: Vec<AdapterRecord>,
    threads: usize,
    auto: &'static str,
    why: String,
}

impl Devices {
    pub fn run(&self) -> Result<()> {
        let (gpu, why) = Engine::auto_choice();
        let answer =
            Answer { adapters: adapters(), threads: rayon::current_num_threads(), auto: if gpu { "gpu" } else { "cpu" }, why };
        if self.json {
            return print_json(&answer);
        }
        let mut table =
            Table::new(&["adapter", "index", "kind", "backend", "driver", "PCI", "buffer", "binding", "points", "features"]);
        for a in &answer.adapters {
            let mib = |b: u64| format!("{} MiB", b >> 20);
            table.row([
                a.name.clone(),
                a.index.to_string(),
                a.kind.clone(),
                a.backend.clone(),
                a.driver.clone(),
                a.pci.clone(),
                mib(a.max_buffer_bytes),
                mib(a.max_binding_bytes),
                a.max_points.to_string(),
                a.features.join(" "),
            ]);
        }
        let none = "No GPU adapter: install a Vulkan driver (Debian, Ubuntu: mesa-vulkan-drivers) to use --engine gpu.\n";
        let list = if answer.adapters.is_empty() { none.to_string() } else { table.markdown() };
        print(&format!(
            "{list}\nNative engine: {} threads.\n--engine auto takes the {} engine: {}.\n",
            answer.threads, answer.auto, answer.why
        ))
    }
}
