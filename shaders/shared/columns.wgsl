// What is known of a critical column besides its bits. In step with src/topology/gpu/layout.rs.

const UNEXPANDED: u32 = 0xfffffffeu;  // pivot of a column whose bits have not been made yet

// Whether the edge of one column is shorter than that of another; columns of one edge go by their
// place.
fn older(x: vec4<u32>, at_x: u32, y: vec4<u32>, at_y: u32) -> bool {
    if x.x != y.x {
        return x.x < y.x;
    }
    if x.y != y.y {
        return x.y < y.y;
    }
    return at_x < at_y;
}
