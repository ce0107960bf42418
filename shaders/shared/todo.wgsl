// Lists of pairs out of blocks of 4 x 4, for shaders with a binding `todo`.

// How many of 4 x 4 hold.
fn how_many(a: vec4<bool>, b: vec4<bool>, c: vec4<bool>, d: vec4<bool>) -> u32 {
    let one = vec4<u32>(1u);
    let none = vec4<u32>(0u);
    let each = select(none, one, a) + select(none, one, b) + select(none, one, c) + select(none, one, d);
    return each.x + each.y + each.z + each.w;
}

// Lists those pairs of point i and four others that are wanted, from place `at` on, as far as there
// is room; returns the place behind them.
fn list(c: Cloud, at: u32, i: u32, j: vec4<u32>, pairs: vec4<bool>) -> u32 {
    var next = at;
    for (var k = 0u; k < 4u; k++) {
        if pairs[k] {
            if next < c.todo + c.todo_capacity {
                todo[next] = name_of(i, j[k]);
            }
            next++;
        }
    }
    return next;
}
