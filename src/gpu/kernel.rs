//! One shader with its pipeline.

use super::source::expand;
use super::{Gpu, Parts};
use crate::error::Result;

/// A compiled compute shader; its entry point is `main`, its bindings are group 0, counted from 0.
pub(crate) struct Kernel {
    pub name: &'static str,
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

impl Kernel {
    /// Compiles `source` after pasting in what it imports from `shared` and the parts of its
    /// arrays, with the given override constants.
    ///
    /// # Errors
    /// [`Error::Device`] with the compiler's message when the device refuses it.
    pub fn new(
        gpu: &Gpu,
        name: &'static str,
        source: &str,
        shared: &[(&str, &str)],
        parts: &Parts,
        constants: &[(&str, f64)],
    ) -> Result<Self> {
        let source = expand(source, shared, parts)?;
        gpu.scoped(name, || {
            let module = gpu.device().create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(name),
                source: wgpu::ShaderSource::Wgsl(source.into()),
            });
            let pipeline = gpu.device().create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(name),
                layout: None,
                module: &module,
                entry_point: Some("main"),
                // Every shader here writes its workgroup memory before it reads it.
                compilation_options: wgpu::PipelineCompilationOptions { constants, zero_initialize_workgroup_memory: false },
                cache: None,
            });
            let layout = pipeline.get_bind_group_layout(0);
            Self { name, pipeline, layout }
        })
    }
}
