//! Translates every shader to SPIR-V (Vulkan), MSL (Metal) and HLSL (DX12), as wgpu does, and fails at the first that cannot be.

use naga::back::{hlsl, msl, pipeline_constants::process_overrides, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::path::Path;

fn main() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shaders"));
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder of shaders")
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .filter(|name| name.ends_with(".wgsl"))
        .collect();
    names.sort();
    assert!(names.len() >= 19, "only {} shaders found", names.len());
    for name in &names {
        if let Err(why) = translate(folder, name) {
            eprintln!("{name}: {why}");
            std::process::exit(1);
        }
    }
    println!("{} shaders in SPIR-V, MSL and HLSL", names.len());
}

/// A shader with its imports pasted in.
fn source(folder: &Path, name: &str) -> String {
    let text = std::fs::read_to_string(folder.join(name)).expect("a shader");
    let line = |line: &str| match line.strip_prefix("//#import ") {
        Some(piece) => std::fs::read_to_string(folder.join("shared").join(format!("{}.wgsl", piece.trim()))).expect("a shared piece"),
        None => line.to_string(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn translate(folder: &Path, name: &str) -> Result<(), String> {
    let source = source(folder, name);
    let module = naga::front::wgsl::parse_str(&source).map_err(|e| e.emit_to_string(&source))?;
    let check = |module: &naga::Module| {
        Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(module).map_err(|e| format!("{e:?}"))
    };
    let info = check(&module)?;
    let constants = naga::back::PipelineConstants::default();
    let entry = Some((naga::ShaderStage::Compute, "main"));
    let (module, info) = process_overrides(&module, &info, entry, &constants).map_err(|e| e.to_string())?;
    let bounds = BoundsCheckPolicies {
        index: BoundsCheckPolicy::Restrict,
        buffer: BoundsCheckPolicy::Restrict,
        image_load: BoundsCheckPolicy::Restrict,
        binding_array: BoundsCheckPolicy::Unchecked,
    };

    let options = spv::Options { bounds_check_policies: bounds, ..Default::default() };
    let pipeline = spv::PipelineOptions { shader_stage: naga::ShaderStage::Compute, entry_point: "main".into() };
    spv::write_vec(&module, &info, &options, Some(&pipeline)).map_err(|e| format!("SPIR-V: {e}"))?;

    let options = msl::Options { bounds_check_policies: bounds, fake_missing_bindings: true, ..Default::default() };
    msl::write_string(&module, &info, &options, &msl::PipelineOptions::default()).map_err(|e| format!("MSL: {e}"))?;

    let mut out = String::new();
    let options = hlsl::Options { fake_missing_bindings: true, ..Default::default() };
    let pipeline = hlsl::PipelineOptions::default();
    hlsl::Writer::new(&mut out, &options, &pipeline).write(&module, &info, None).map_err(|e| format!("HLSL: {e}"))?;
    Ok(())
}
