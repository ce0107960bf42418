// What is known of a critical column besides its bits. In step with src/topology/wgsl/layout.rs.

const UNEXPANDED: u32 = 0xfffffffeu;  // pivot of a column whose bits have not been made yet

// Word of the bits of a column: words of neighbouring columns are neighbours.
fn bit_at(c: Cloud, slot: u32, word: u32) -> u32 {
    return c.bits + word * c.column_capacity + slot;
}
