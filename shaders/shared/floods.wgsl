// What a flood from point to point needs besides the levels.

// The place of point z among the 128 of its four words.
fn only(z: u32) -> vec4<u32> {
    return select(vec4<u32>(0u), vec4<u32>(1u << (z % 32u)), vec4<u32>(z / 32u % 4u) == vec4<u32>(0u, 1u, 2u, 3u));
}

// Those of 32 points from z on whose edge to v is shorter than the edge `name`.
fn nearer(c: Cloud, v: u32, key: u32, name: u32, z: u32, among: u32) -> u32 {
    var found = 0u;
    var left = among;
    while left != 0u {
        let bit = countTrailingZeros(left);
        left &= left - 1u;
        if before(table[c.table + v * c.row + z + bit], v, z + bit, key, name) {
            found |= 1u << bit;
        }
    }
    return found;
}

// The same of four words from 128 q on.
fn nearer_quad(c: Cloud, v: u32, key: u32, name: u32, q: u32, among: vec4<u32>) -> vec4<u32> {
    let z = q * 128u;
    return vec4<u32>(
        nearer(c, v, key, name, z, among.x),
        nearer(c, v, key, name, z + 32u, among.y),
        nearer(c, v, key, name, z + 64u, among.z),
        nearer(c, v, key, name, z + 96u, among.w),
    );
}

// The neighbours of v, by edges shorter than `name` of level l, among four words of points from 128 q on.
fn neighbours(c: Cloud, v: u32, key: u32, name: u32, l: u32, q: u32, among: vec4<u32>) -> vec4<u32> {
    if all(among == vec4<u32>(0u)) {
        return among;
    }
    let sure = among & surely(c, l, v, q);
    return sure | nearer_quad(c, v, key, name, q, among & within(c, l, v, q) & ~sure);
}
