//! What the shaders and the host agree on. In step with `shaders/shared/*.wgsl`.

/// The shared pieces by the names that shaders import.
pub(crate) const SHARED: [(&str, &str); 7] = [
    ("cloud", include_str!("../../../shaders/shared/cloud.wgsl")),
    ("blocks", include_str!("../../../shaders/shared/blocks.wgsl")),
    ("todo", include_str!("../../../shaders/shared/todo.wgsl")),
    ("levels", include_str!("../../../shaders/shared/levels.wgsl")),
    ("floods", include_str!("../../../shaders/shared/floods.wgsl")),
    ("rows", include_str!("../../../shaders/shared/rows.wgsl")),
    ("columns", include_str!("../../../shaders/shared/columns.wgsl")),
];

/// One cloud of a batch: `Cloud` in `shaders/shared/cloud.wgsl`, where the fields are explained.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct CloudRecord {
    pub index: u32,
    pub n: u32,
    pub features: u32,
    pub offset: u32,
    pub stride: u32,
    pub table: u32,
    pub row: u32,
    pub pairs: u32,
    pub roles: u32,
    pub vertices: u32,
    pub graph: u32,
    pub graph_capacity: u32,
    pub quads: u32,
    pub levels: u32,
    pub thresholds: u32,
    pub columns: u32,
    pub column_capacity: u32,
    pub bits: u32,
    pub bit_quads: u32,
    pub loops: u32,
    pub births: u32,
    pub low: u32,
    pub high: u32,
    pub todo: u32,
    pub todo_capacity: u32,
}

impl CloudRecord {
    /// Blocks of 4 x 4 pairs that cover every pair: see `shaders/shared/blocks.wgsl`.
    pub fn blocks(&self) -> u32 {
        let quarters = self.n.div_ceil(4);
        quarters * (quarters + 1) / 2
    }
}

/// What the stages found out about a cloud: the `STATE_WORDS` words of `shaders/shared/cloud.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct State {
    pub limit: u32,
    pub graph: u32,
    pub births: u32,
    pub merges: u32,
    pub last_birth: u32,
    pub todo: u32,
    pub pending: u32,
    pub columns: u32,
    pub reduced: u32,
    pub deaths: u32,
    pub open: u32,
    pub failure: u32,
    pub current: u32,
}

/// Words of a [`State`].
pub(super) const STATE_WORDS: usize = 13;
/// [`State::failure`]: a coordinate, or the distance of two points, is not finite.
pub(super) const FAILED_NAN: u32 = 1;
/// Pivot of a column whose bits have not been made yet.
pub(super) const UNEXPANDED: u32 = 0xFFFF_FFFE;
/// [`CloudRecord::stride`] of a cloud whose distances the host gave.
pub(super) const NO_POINTS: u32 = u32::MAX;
/// The most keys that are sampled of each cloud, which are sorted in workgroup memory.
pub(super) const MOST_SAMPLED: u32 = 2048;
/// Levels of a block: see `shaders/shared/levels.wgsl`.
pub(super) use crate::gpu::LEVELS;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Parts, expand};
    use wgpu::naga;

    /// Names and offsets of the fields of a struct.
    macro_rules! fields {
        ($of:ident: $($name:ident),* $(,)?) => {
            // The pattern names every field: one that is left out does not compile.
            { let _ = |$of { $($name: _),* }: $of| (); vec![$((stringify!($name), std::mem::offset_of!($of, $name))),*] }
        };
    }

    fn cloud_fields() -> Vec<(&'static str, usize)> {
        fields!(CloudRecord: index, n, features, offset, stride, table, row, pairs, roles, vertices, graph, graph_capacity, quads, levels,
            thresholds, columns, column_capacity, bits, bit_quads, loops, births, low, high, todo, todo_capacity)
    }

    fn state_fields() -> Vec<(&'static str, usize)> {
        fields!(State: limit, graph, births, merges, last_birth, todo, pending, columns, reduced, deaths, open, failure, current)
    }

    /// Every shader of the folder is valid WGSL without any optional capability, keeps to 8 storage
    /// buffers, 256 invocations and 16 KiB of workgroup memory, and agrees with the host on sizes
    /// and constants.
    #[test]
    fn every_shader_is_portable() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders");
        let (mut seen, mut compared) = (0, std::collections::BTreeSet::new());
        // The place of a word of the state is a constant of its name.
        let places = state_fields().into_iter().map(|(name, at)| (name.to_uppercase(), at as u32 / 4));
        let others = [
            ("STATE_WORDS", STATE_WORDS as u32),
            ("UNEXPANDED", UNEXPANDED),
            ("FAILED_NAN", FAILED_NAN),
            ("NO_POINTS", NO_POINTS),
            ("MOST_SAMPLED", MOST_SAMPLED),
            ("NO_EDGE", crate::topology::order::Key::NO_EDGE.0),
            ("MAX_KEY", crate::topology::order::Key::MAX.0),
        ];
        let others = others.map(|(name, value)| (name.to_string(), value));
        let numbers: Vec<(String, u32)> = places.chain(others).collect();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "wgsl") {
                continue;
            }
            seen += 1;
            let source = expand(&std::fs::read_to_string(&path).unwrap(), &SHARED, &Parts::default()).unwrap();
            let module = naga::front::wgsl::parse_str(&source)
                .unwrap_or_else(|e| panic!("{}: {}", path.display(), e.emit_to_string(&source)));
            let mut validator =
                naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty());
            validator.validate(&module).unwrap_or_else(|e| panic!("{}: {}", path.display(), e.emit_to_string(&source)));
            let mut layouter = naga::proc::Layouter::default();
            layouter.update(module.to_ctx()).unwrap();
            let (mut storage, mut workgroup) = (0, 0);
            for (_, variable) in module.global_variables.iter() {
                match variable.space {
                    naga::AddressSpace::Storage { .. } => storage += 1,
                    naga::AddressSpace::WorkGroup => workgroup += layouter[variable.ty].size,
                    _ => {}
                }
            }
            assert!(storage <= 8, "{}: {storage} storage buffers", path.display());
            assert!(workgroup <= 16 * 1024, "{}: {workgroup} bytes of workgroup memory", path.display());
            let entry = &module.entry_points[0];
            assert_eq!(entry.name, "main");
            assert!(entry.workgroup_size.iter().product::<u32>() <= 256);
            for (handle, ty) in module.types.iter() {
                let naga::TypeInner::Struct { members, .. } = &ty.inner else { continue };
                let members: Vec<(&str, usize)> =
                    members.iter().map(|m| (m.name.as_deref().unwrap_or(""), m.offset as usize)).collect();
                match ty.name.as_deref() {
                    Some("Cloud") => {
                        assert_eq!(layouter[handle].size as usize, size_of::<CloudRecord>());
                        assert_eq!(members, cloud_fields(), "{}", path.display());
                    }
                    Some("Slice") => {
                        assert_eq!(members, [("first", 0), ("cloud", 4), ("a", 8), ("b", 12)], "{}", path.display());
                    }
                    _ => {}
                }
            }
            for (name, value) in &numbers {
                let found = module.constants.iter().find(|(_, c)| c.name.as_deref() == Some(name));
                if let Some((_, constant)) = found {
                    let literal = &module.global_expressions[constant.init];
                    assert!(
                        matches!(literal, naga::Expression::Literal(naga::Literal::U32(v)) if v == value),
                        "{name} in {}",
                        path.display()
                    );
                    compared.insert(name.clone());
                }
            }
        }
        assert!(seen >= 19, "only {seen} shaders found");
        let missing: Vec<_> = numbers.iter().filter(|(name, _)| !compared.contains(name)).collect();
        assert!(missing.is_empty(), "no shader has the constants {missing:?}");
        assert_eq!(size_of::<State>(), 4 * STATE_WORDS);
    }
}
