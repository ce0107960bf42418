// Which points are near which, at a few thresholds: sets of points as rows of bits, four words at a
// time.
//
// Of an edge between thresholds t[l - 1] < key <= t[l], everything in level l - 1 is shorter,
// everything outside level l is longer, and only what is between needs a look at the table. So a
// lune costs a few words and a few entries instead of 2 n entries.

// The level of a key: how many of the 16 thresholds are below it.
fn level_of(c: Cloud, key: u32) -> u32 {
    var below = vec4<u32>(0u);
    for (var k = 0u; k < 4u; k++) {
        below += select(vec4<u32>(0u), vec4<u32>(1u), levels_at(c.thresholds + k) < vec4<u32>(key));
    }
    return min(below.x + below.y + below.z + below.w, 15u);
}

// Points within level l of v: those of number 128 q to 128 q + 127.
fn within(c: Cloud, l: u32, v: u32, q: u32) -> vec4<u32> {
    return levels_at(c.levels + (l * c.n + v) * c.quads + q);
}

// Points that are surely nearer to v than an edge of level l is long.
fn surely(c: Cloud, l: u32, v: u32, q: u32) -> vec4<u32> {
    if l == 0u {
        return vec4<u32>(0u);
    }
    return within(c, l - 1u, v, q);
}

// Four words of the lune of the edge {i, j}.
fn lune_quad(c: Cloud, i: u32, j: u32, key: u32, l: u32, q: u32) -> vec4<u32> {
    var lune = surely(c, l, i, q) & surely(c, l, j, q);
    var between = within(c, l, i, q) & within(c, l, j, q) & ~lune;
    // One loop for all words: lanes that run together wait for the one with the most points, not
    // for that of every word.
    while any(between != vec4<u32>(0u)) {
        let z = first_point(q, between);
        between &= ~only(z);
        if in_lune(c, i, j, key, z) {
            lune |= only(z);
        }
    }
    return lune;
}

// The place of point z among the 128 of its four words.
fn only(z: u32) -> vec4<u32> {
    return select(vec4<u32>(0u), vec4<u32>(1u << (z % 32u)), vec4<u32>(z / 32u % 4u) == vec4<u32>(0u, 1u, 2u, 3u));
}

// Whether z is closer to both ends of the edge {i, j} than it is long.
fn in_lune(c: Cloud, i: u32, j: u32, key: u32, z: u32) -> bool {
    let name = name_of(i, j);
    return before(table_at(c.table + i * c.row + z), i, z, key, name) && before(table_at(c.table + j * c.row + z), j, z, key, name);
}

// The first point of four words, or NO_EDGE. Without a branch: there is one such step for every
// point that is looked at.
fn first_point(q: u32, words: vec4<u32>) -> u32 {
    let some = words != vec4<u32>(0u);
    var word = select(vec2<u32>(words.w, 96u), vec2<u32>(words.z, 64u), some.z);
    word = select(word, vec2<u32>(words.y, 32u), some.y);
    word = select(word, vec2<u32>(words.x, 0u), some.x);
    return select(NO_EDGE, q * 128u + word.y + countTrailingZeros(word.x), any(some));
}
