// Pairs of points by blocks of 4 x 4, so that four entries of the table are one load. Blocks of the
// diagonal count too; of them only what is below it is a pair.

// The first points of block `t`, over four.
fn block_of(t: u32) -> vec2<u32> {
    let bi = larger_of(t) - 1u;
    return vec2<u32>(bi, t - bi * (bi + 1u) / 2u);
}

// The four points of a quarter.
fn points_of(quarter: u32) -> vec4<u32> {
    return vec4<u32>(4u * quarter) + vec4<u32>(0u, 1u, 2u, 3u);
}

// Which pairs of point i and the points j are pairs below the diagonal of n points.
fn below(i: u32, j: vec4<u32>, n: u32) -> vec4<bool> {
    return (j < vec4<u32>(i)) & vec4<bool>(i < n);
}
