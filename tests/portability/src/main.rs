//! Translates every shader, with every set of its constants, to SPIR-V (Vulkan), MSL (Metal) and
//! HLSL (DX12), as wgpu does, and fails at the first that cannot be. With a file's name it also
//! writes the shaders there as JSON, for `tests/webgpu.py`.

/// The library's own expansion of shaders.
#[allow(dead_code)]
#[path = "../../../src/gpu/source.rs"]
mod source;

/// What that file takes from the library.
mod error {
    #[derive(Debug)]
    #[allow(dead_code)]
    pub enum Error {
        Internal(String),
    }
    pub type Result<T> = std::result::Result<T, Error>;
}

use naga::back::{hlsl, msl, pipeline_constants::process_overrides, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::collections::BTreeMap;
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
    let mut written = Vec::new();
    let mut count = 0;
    for name in &names {
        let sources = expanded(folder, name);
        let sets = constants(&sources[0]);
        for (source, set) in sources.iter().flat_map(|source| sets.iter().map(move |set| (source, set))) {
            if let Err(why) = translate(source, set) {
                eprintln!("{name} {set:?}: {why}");
                std::process::exit(1);
            }
            count += 1;
        }
        // Browsers offer few bindings, and take arrays of one part.
        written.push(serde_json::json!({ "name": name, "source": sources[0], "constants": sets }));
    }
    if let Some(path) = std::env::args().nth(1) {
        std::fs::write(path, serde_json::Value::from(written).to_string()).expect("a file for the shaders");
    }
    println!("{} shaders, {count} with their constants and parts, in SPIR-V, MSL and HLSL", names.len());
}

/// A value for each constant of a shader.
type Constants = BTreeMap<String, f64>;

/// Every set of values that the host gives to a shader's constants: the metrics, and sizes of
/// workgroups.
fn constants(source: &str) -> Vec<Constants> {
    let names = source.lines().filter_map(|line| line.strip_prefix("override ")?.split([':', ' ']).next());
    let mut sets = vec![Constants::new()];
    for name in names {
        let values: &[f64] = match name {
            "METRIC" => &[0.0, 1.0, 2.0, 3.0, 4.0],
            "THREADS" => &[8.0, 64.0, 256.0],
            other => panic!("say here which values the constant {other} takes"),
        };
        let with = |set: &Constants, value: f64| set.clone().into_iter().chain([(name.to_string(), value)]).collect();
        sets = sets.iter().flat_map(|set| values.iter().map(move |&value| with(set, value))).collect();
    }
    sets
}

/// A shader with its imports pasted in, and with its arrays in one part or in the most parts that
/// a cloud can have where a binding shows 2 GiB.
fn expanded(folder: &Path, name: &str) -> Vec<String> {
    let read = |path: &Path| std::fs::read_to_string(path).expect("a shader");
    let text = read(&folder.join(name));
    let imports = text.lines().filter_map(|line| line.strip_prefix("//#import "));
    let pieces: Vec<(&str, String)> = imports.map(|p| (p, read(&folder.join(format!("shared/{p}.wgsl"))))).collect();
    let pieces: Vec<(&str, &str)> = pieces.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let whole = source::Parts::default();
    let counts = vec![("table", 8), ("roles", 4), ("levels", 4), ("bits", 8)];
    let parts = source::Parts { words: (1 << 29) - 4, counts };
    let mut texts = vec![source::expand(&text, &pieces, &whole).expect("a shader that can be expanded")];
    if text.contains("//#split") {
        texts.push(source::expand(&text, &pieces, &parts).expect("a shader that can be expanded"));
    }
    texts
}

fn translate(source: &str, constants: &Constants) -> Result<(), String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    let check = |module: &naga::Module| {
        Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(module).map_err(|e| format!("{e:?}"))
    };
    let info = check(&module)?;
    let constants = constants.iter().map(|(name, value)| (name.clone(), *value)).collect::<naga::back::PipelineConstants>();
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
