//! `--engine` and `--adapter`, the same for every command.

use clap::{Args, ValueEnum};
use lacuna::gpu::AdapterChoice;
use lacuna::topology::{Engine, EngineKind};
use lacuna::{Error, Result};

/// Which engine.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Kind {
    /// The GPU where there is a real one, else the CPU
    Auto,
    /// Compute shaders, on a software adapter too
    Gpu,
    /// The native engine
    Cpu,
}

/// The options that choose an engine.
#[derive(Clone, Debug, Args)]
pub struct EngineArgs {
    /// Which engine computes (and, for networks, where they train)
    #[arg(long, value_enum, default_value = "auto")]
    engine: Kind,
    /// Adapter: a part of its name, its index in `lacuna devices`, or its PCI address
    #[arg(long, value_name = "NAME|INDEX|PCI")]
    adapter: Option<String>,
}

impl EngineArgs {
    fn kind(&self) -> EngineKind {
        match self.engine {
            Kind::Auto => EngineKind::Auto,
            Kind::Gpu => EngineKind::Gpu,
            Kind::Cpu => EngineKind::Cpu,
        }
    }

    fn choice(&self) -> Result<AdapterChoice> {
        match (&self.adapter, self.engine) {
            (Some(_), Kind::Cpu) => Err(Error::input("the native engine uses no adapter: drop --adapter, or use --engine gpu")),
            (Some(name), _) => Ok(AdapterChoice::Named(name.clone())),
            (None, _) => Ok(AdapterChoice::Best),
        }
    }

    /// The topology engine alone. Says which, unless quiet.
    pub fn engine(&self, quiet: bool) -> Result<Engine> {
        let engine = Engine::new(self.kind(), &self.choice()?)?;
        announce(&engine, quiet);
        Ok(engine)
    }

    /// The device for networks, with its engine. Says which, unless quiet.
    #[cfg(feature = "nn")]
    pub fn compute(&self, quiet: bool) -> Result<lacuna::nn::Compute> {
        lacuna::nn::keep_freed_memory();
        let compute = lacuna::nn::Compute::new(self.kind(), &self.choice()?)?;
        announce(&compute.engine, quiet);
        Ok(compute)
    }
}

fn announce(engine: &Engine, quiet: bool) {
    if !quiet {
        // Why this one was taken `lacuna devices` says.
        let info = engine.info();
        super::say(&format!("engine: {} on {}", info.kind, info.adapter));
    }
}
