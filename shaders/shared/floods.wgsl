// What a flood from point to point needs besides the levels.

// Those of four words of points from 128 q on whose edge to v is shorter than the edge `name`.
fn nearer(c: Cloud, v: u32, key: u32, name: u32, q: u32, among: vec4<u32>) -> vec4<u32> {
    var found = vec4<u32>(0u);
    var left = among;
    while any(left != vec4<u32>(0u)) {
        let z = first_point(q, left);
        left &= ~only(z);
        if before(table_at(c.table + v * c.row + z), v, z, key, name) {
            found |= only(z);
        }
    }
    return found;
}

// The neighbours of v, by edges shorter than `name` of level l, among four words of points from 128
// q on.
fn neighbours(c: Cloud, v: u32, key: u32, name: u32, l: u32, q: u32, among: vec4<u32>) -> vec4<u32> {
    if all(among == vec4<u32>(0u)) {
        return among;
    }
    let sure = among & surely(c, l, v, q);
    return sure | nearer(c, v, key, name, q, among & within(c, l, v, q) & ~sure);
}
