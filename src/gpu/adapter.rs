//! Which adapters there are, and which one is meant.

use super::Parts;
use crate::error::{Error, Result};

/// One adapter as `lacuna devices` shows it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AdapterRecord {
    /// Place in the list, real GPUs first; what `--adapter INDEX` means.
    pub index: usize,
    /// The driver's name for it.
    pub name: String,
    /// Vulkan, Metal, Dx12 or Gl.
    pub backend: String,
    /// Discrete, integrated, virtual, software or other.
    pub kind: String,
    /// Driver and its version.
    pub driver: String,
    /// PCI address such as `0000:65:00.0`; empty where the driver does not say.
    pub pci: String,
    /// Whether it is a software rasteriser on the host's own cores.
    pub software: bool,
    /// Largest buffer in bytes.
    pub max_buffer_bytes: u64,
    /// Largest part of a buffer that a shader can see at once, in bytes.
    pub max_binding_bytes: u64,
    /// Largest single cloud whose arrays the shaders can be shown. They are cut into parts where
    /// they are larger than one binding. The device's memory may be too small for it all the same.
    pub max_points: usize,
    /// Workgroup memory in bytes.
    pub workgroup_bytes: u32,
    /// Invocations per workgroup.
    pub workgroup_invocations: u32,
    /// Features that make a difference here.
    pub features: Vec<String>,
}

/// What `--adapter` says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum AdapterChoice {
    /// The first real GPU, or the software one if there is no other.
    #[default]
    Best,
    /// A place in the list, a PCI address, or a part of the name, upper and lower case alike.
    Named(String),
}

impl AdapterRecord {
    pub(super) fn new(index: usize, adapter: &wgpu::Adapter) -> Self {
        Self::with(index, adapter, &adapter.limits())
    }

    /// Of a device of the adapter that was opened with fewer limits.
    pub(super) fn with(index: usize, adapter: &wgpu::Adapter, limits: &wgpu::Limits) -> Self {
        let (info, has) = (adapter.get_info(), adapter.features());
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        };
        let known = [
            ("timestamps", wgpu::Features::TIMESTAMP_QUERY),
            ("subgroups", wgpu::Features::SUBGROUP),
            ("int64", wgpu::Features::SHADER_INT64),
            ("f16", wgpu::Features::SHADER_F16),
        ];
        Self {
            index,
            name: info.name,
            backend: info.backend.to_string(),
            kind: kind.into(),
            driver: format!("{} {}", info.driver, info.driver_info).trim().into(),
            pci: info.device_pci_bus_id,
            software: info.device_type == wgpu::DeviceType::Cpu,
            max_buffer_bytes: limits.max_buffer_size,
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_points: most_points(usable_binding(limits), limits.max_storage_buffers_per_shader_stage),
            workgroup_bytes: limits.max_compute_workgroup_storage_size,
            workgroup_invocations: limits.max_compute_invocations_per_workgroup,
            features: known.iter().filter(|(_, f)| has.contains(*f)).map(|(name, _)| (*name).into()).collect(),
        }
    }
}

/// Levels of nearness that the engine keeps for every point, as rows of bits.
pub(crate) const LEVELS: u32 = 16;
/// The most storage buffers that a shader of the engine has while its arrays have one part each.
pub(crate) const STORAGE_BUFFERS: u32 = 8;

/// The arrays of a cloud of `n` points that grow as the square of `n`, and their words: lengths of
/// all pairs in rows of a multiple of four, what each edge does, and rows of bits. They may be
/// larger than a binding, and are then cut into parts.
pub(crate) fn words_of_arrays(n: u64) -> [(&'static str, u64); 3] {
    let levels = 4 * u64::from(LEVELS) * n * n.div_ceil(128) + 16;
    [("table", n * n.next_multiple_of(4)), ("roles", n * n.saturating_sub(1) / 2), ("levels", levels)]
}

/// Whether a shader can be shown the arrays of `n` points, which are numbered by 16 bits, where a
/// binding shows so many bytes and a shader may have so many of them.
pub(crate) fn can_be_shown(n: u64, binding: u64, storage_buffers: u32) -> bool {
    let parts = Parts::of(&words_of_arrays(n), binding);
    n <= u64::from(u16::MAX) && parts.can_be_numbered() && parts.more() + STORAGE_BUFFERS <= storage_buffers
}

/// The most points of a cloud that a shader can be shown.
pub(crate) fn most_points(binding: u64, storage_buffers: u32) -> usize {
    let (mut fits, mut not) = (0, u64::from(u16::MAX) + 1);
    while not - fits > 1 {
        let middle = u64::midpoint(fits, not);
        if can_be_shown(middle, binding, storage_buffers) {
            fits = middle;
        } else {
            not = middle;
        }
    }
    fits as usize
}

/// Bytes that one binding can show to our shaders: positions in them are 32-bit, so drivers that
/// offer more than 2 GiB are taken at that.
pub(super) fn usable_binding(limits: &wgpu::Limits) -> u64 {
    limits.max_storage_buffer_binding_size.min(limits.max_buffer_size).min(i32::MAX as u64) & !3
}

/// All adapters that can compute, real GPUs before software ones.
pub(super) fn enumerate() -> Vec<wgpu::Adapter> {
    // A browser tells its adapters later, and one only.
    if cfg!(target_arch = "wasm32") {
        return Vec::new();
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::from_env().unwrap_or(wgpu::Backends::PRIMARY),
        // No indirect dispatch here, and its validation would lower the largest buffer to 4 GiB.
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let mut found = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    found.retain(|a| a.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS));
    let order = |a: &wgpu::Adapter| match a.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    };
    found.sort_by_key(order);
    found
}

/// The adapters of this machine, in the order of their indices.
pub fn adapters() -> Vec<AdapterRecord> {
    enumerate().iter().enumerate().map(|(i, a)| AdapterRecord::new(i, a)).collect()
}

/// Picks the adapter that is meant.
///
/// # Errors
/// [`Error::NoAdapter`] with what there is, when nothing fits.
pub(super) fn choose(choice: &AdapterChoice) -> Result<(wgpu::Adapter, AdapterRecord)> {
    let all = enumerate();
    let records: Vec<_> = all.iter().enumerate().map(|(i, a)| AdapterRecord::new(i, a)).collect();
    let at = find(&records, choice)?;
    let adapter = all.into_iter().nth(at).ok_or_else(|| Error::Internal("the adapter list changed".into()))?;
    Ok((adapter, records[at].clone()))
}

pub(super) fn find(records: &[AdapterRecord], choice: &AdapterChoice) -> Result<usize> {
    if records.is_empty() {
        return Err(Error::NoAdapter(
            "no GPU adapter was found: install a Vulkan driver (on Debian or Ubuntu the software one is the package \
             mesa-vulkan-drivers)"
                .into(),
        ));
    }
    let AdapterChoice::Named(wanted) = choice else { return Ok(0) };
    let lower = wanted.to_lowercase();
    let by_index = wanted.parse::<usize>().ok();
    let by_pci = || records.iter().position(|r| !r.pci.is_empty() && r.pci.to_lowercase() == lower);
    let by_name = || records.iter().position(|r| !lower.is_empty() && r.name.to_lowercase().contains(&lower));
    // A number is an index, not a part of "RTX 3050".
    let found = by_index.or_else(by_pci).or_else(by_name).filter(|&i| i < records.len());
    found.ok_or_else(|| {
        let have: Vec<_> = records.iter().map(|r| format!("[{}] {}", r.index, r.name)).collect();
        Error::NoAdapter(format!("no adapter is called '{wanted}'; this machine has {}", have.join("; ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With eight bindings every array has to fit one; each further binding takes a part more.
    #[test]
    fn arrays_fit_their_bindings() {
        let two = i32::MAX as u64 & !3;
        for (bytes, buffers, most) in [
            (128 << 20, 8, 5792),
            (two, 8, 23_168),
            (two, 9, 32_767),
            (two, 21, 65_535),
            (128 << 20, 7, 0),
            (128 << 20, 1000, 32_768),
        ] {
            assert_eq!(most_points(bytes, buffers), most, "{bytes} {buffers}");
            assert!(most == 0 || can_be_shown(most as u64, bytes, buffers));
            assert!(!can_be_shown(most as u64 + 1, bytes, buffers));
        }
    }

    fn record(index: usize, name: &str, pci: &str) -> AdapterRecord {
        AdapterRecord {
            index,
            name: name.into(),
            backend: "vulkan".into(),
            kind: "discrete".into(),
            driver: String::new(),
            pci: pci.into(),
            software: false,
            max_buffer_bytes: 0,
            max_binding_bytes: 0,
            max_points: 0,
            workgroup_bytes: 0,
            workgroup_invocations: 0,
            features: vec![],
        }
    }

    #[test]
    fn adapters_are_found_by_index_address_and_name() {
        let all = [record(0, "Big Card 7000", "0000:65:00.0"), record(1, "llvmpipe", "")];
        let named = |s: &str| find(&all, &AdapterChoice::Named(s.into()));
        assert_eq!(find(&all, &AdapterChoice::Best).unwrap(), 0);
        assert_eq!(named("1").unwrap(), 1);
        assert_eq!(named("0000:65:00.0").unwrap(), 0);
        assert_eq!(named("LLVM").unwrap(), 1);
        assert!(named("7").unwrap_err().to_string().contains("[1] llvmpipe"));
        assert_eq!(find(&[], &AdapterChoice::Best).unwrap_err().exit_code(), 2);
    }
}
