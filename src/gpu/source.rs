//! The text of a shader: what it imports, and arrays that are cut into parts.
//!
//! An array may be larger than what one binding shows. A shader declares such an array as if it had
//! one part, in a line behind `//#split`. What follows from the line is written when the shader is
//! compiled: the other parts, each with a binding of its own, and the functions `NAME_at(place)`
//! and `set_NAME(place, value)`, which pick the part. An array of one part is read and written
//! without a choice.
//!
//! This file needs nothing but the errors, so that `tests/portability` takes it as it is.

use crate::error::{Error, Result};
use std::fmt::Write;

/// Replaces every line `//#import name` by the shared piece of that name, and what follows a line
/// `//#split` by the parts of an array.
///
/// # Errors
/// [`Error::Internal`] when a shader names a piece that there is not, or splits no array.
pub(crate) fn expand(source: &str, shared: &[(&str, &str)], parts: &Parts) -> Result<String> {
    let mut out = String::with_capacity(source.len() + 4096);
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if line == "//#split" {
            out.push_str(&parts.declare(lines.next().unwrap_or_default())?);
            continue;
        }
        match line.strip_prefix("//#import ") {
            None => out.push_str(line),
            Some(name) => {
                let piece = shared.iter().find(|(n, _)| *n == name.trim());
                out.push_str(piece.ok_or_else(|| Error::Internal(format!("no shared shader '{name}'")))?.1);
            }
        }
        out.push('\n');
    }
    Ok(out)
}

/// Bindings between the first parts of two arrays. The other parts come between them, so that no
/// array has more parts.
pub(crate) const STEP: u32 = 32;

/// Into how many parts the arrays of some shaders are cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Parts {
    /// Words of each part but the last, a multiple of 4.
    pub words: u32,
    /// Arrays by their names in shaders; those that are not named have one part.
    pub counts: Vec<(&'static str, u32)>,
}

impl Parts {
    /// Arrays of so many words, cut into parts of at most `bytes`.
    pub fn of(arrays: &[(&'static str, u64)], bytes: u64) -> Self {
        let words = (bytes / 16 * 4).clamp(4, u64::from(u32::MAX / 4 * 4)) as u32;
        let counts = arrays.iter().map(|&(name, all)| (name, all.div_ceil(u64::from(words)).max(1) as u32));
        Self { words, counts: counts.filter(|&(_, parts)| parts > 1).collect() }
    }

    /// Those of the arrays that a shader declares.
    pub fn of_shader(&self, source: &str) -> Self {
        let declared = |name: &str| source.contains(&format!("> {name}: array<"));
        Self { words: self.words, counts: self.counts.iter().filter(|(name, _)| declared(name)).copied().collect() }
    }

    /// With one array more.
    pub fn and(&mut self, name: &'static str, words: u64) {
        let parts = words.div_ceil(u64::from(self.words)) as u32;
        if parts > 1 {
            self.counts.push((name, parts));
        }
    }

    /// Bindings that all parts need beyond the first ones.
    pub fn more(&self) -> u32 {
        self.counts.iter().map(|&(_, parts)| parts - 1).sum()
    }

    /// Whether no array has more parts than there are numbers for.
    pub fn can_be_numbered(&self) -> bool {
        self.counts.iter().all(|&(_, parts)| parts <= STEP)
    }

    /// Into how many parts an array is cut.
    pub fn count(&self, name: &str) -> u32 {
        self.counts.iter().find(|&&(n, _)| n == name).map_or(1, |&(_, parts)| parts)
    }

    /// What stands in a shader for the declaration of an array.
    ///
    /// # Errors
    /// [`Error::Internal`] for a line that is no declaration of an array.
    fn declare(&self, line: &str) -> Result<String> {
        let piece =
            |from: &str, to: &str| line.split_once(from).and_then(|(_, rest)| rest.split_once(to)).map(|(found, _)| found);
        let pieces = || {
            let binding: u32 = piece("@binding(", ")")?.parse().ok()?;
            Some((binding, piece("var<storage, ", ">")?, piece("> ", ":")?, piece("array<", ">;")?))
        };
        let (binding, access, name, element) = pieces().ok_or_else(|| Error::Internal(format!("no array to split: {line}")))?;
        let parts = self.count(name);
        let mut out = format!("{line}\n");
        let size = if element.starts_with("vec4") { self.words / 4 } else { self.words };
        let mut cases = [String::new(), String::new()];
        // Writing into a String does not fail.
        for part in 1..parts {
            let at = STEP * binding + part;
            let _ = writeln!(out, "@group(0) @binding({at}) var<storage, {access}> {name}_{part}: array<{element}>;");
            let _ = writeln!(cases[0], "        case {part}u: {{ return {name}_{part}[here]; }}");
            let _ = writeln!(cases[1], "        case {part}u: {{ {name}_{part}[here] = value; }}");
        }
        let [get, set] = if parts == 1 {
            [format!("    return {name}[place];\n"), format!("    {name}[place] = value;\n")]
        } else {
            let chosen = |cases: &str, otherwise: String| {
                format!(
                    "    let here = place % {size}u;\n    switch place / {size}u {{\n{cases}        default: {{ {otherwise} }}\n    }}\n"
                )
            };
            [chosen(&cases[0], format!("return {name}[here];")), chosen(&cases[1], format!("{name}[here] = value;"))]
        };
        let _ = write!(out, "fn {name}_at(place: u32) -> {element} {{\n{get}}}\n");
        if access == "read_write" {
            let _ = write!(out, "fn set_{name}(place: u32, value: {element}) {{\n{set}}}\n");
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgpu::naga;

    /// The parts are as many as it takes, and a declaration of them is valid in a shader.
    #[test]
    fn arrays_are_declared_in_parts() {
        let parts = Parts::of(&[("table", 100), ("roles", 12), ("levels", 13)], 48);
        assert_eq!((parts.words, parts.counts.as_slice()), (12, [("table", 9), ("levels", 2)].as_slice()));
        assert_eq!(parts.more(), 9);
        assert_eq!(Parts::of(&[("table", 100)], u64::MAX).more(), 0);
        for (line, access, bindings) in [
            ("@group(0) @binding(2) var<storage, read> table: array<u32>;", "var x = table_at(3u);", 9),
            ("@group(0) @binding(2) var<storage, read_write> levels: array<vec4<u32>>;", "set_levels(3u, levels_at(4u));", 2),
            ("@group(0) @binding(7) var<storage, read_write> roles: array<u32>;", "set_roles(3u, roles_at(4u));", 1),
        ] {
            let source = format!("{}@compute @workgroup_size(1) fn main() {{ {access} }}", parts.declare(line).unwrap());
            assert_eq!(source.matches("@binding").count(), bindings, "{source}");
            let module = naga::front::wgsl::parse_str(&source).unwrap();
            naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty())
                .validate(&module)
                .unwrap();
        }
        assert!(parts.declare("let x = 3;").is_err());
    }
}
