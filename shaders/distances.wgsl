// Pairwise distances as sortable keys, 4 x 4 pairs a thread.
//
// In: points. Out: table, both triangles; the diagonal is NO_EDGE, and so is what pads a row. Sums
// run by differences from the first coordinate to the last, of cosine and correlation too: their
// points are brought to length 1 first. Only blocks of the lower triangle compute; they write both
// halves, so the table is symmetric bit for bit. O(n^2 features) a cloud, half a load a pair and
// coordinate.
//#import cloud
//#import blocks

override METRIC: u32 = 0u;  // 0 squared differences, 1 cityblock, 2 chebyshev, 3 cosine, 4 correlation

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> points: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<atomic<u32>>;
//#split
@group(0) @binding(4) var<storage, read_write> table: array<vec4<u32>>;

// Coordinate k of four points; those beyond the last are the last.
fn load4(at: vec4<u32>, k: u32) -> vec4<f32> {
    return vec4<f32>(points[at.x + k], points[at.y + k], points[at.z + k], points[at.w + k]);
}

// What a row of four pairs adds up.
fn step(sum: vec4<f32>, x: f32, y: vec4<f32>) -> vec4<f32> {
    switch METRIC {
        case 1u: { return sum + abs(vec4<f32>(x) - y); }
        case 2u: { return max(sum, abs(vec4<f32>(x) - y)); }
        default: { return sum + (vec4<f32>(x) - y) * (vec4<f32>(x) - y); }
    }
}

// Whether a number is infinite or not a number.
fn infinite(x: vec4<f32>) -> bool {
    return any((bitcast<vec4<u32>>(x) & vec4<u32>(0x7f800000u)) == vec4<u32>(0x7f800000u));
}

// The cosine distance from the squared distance of points brought to length 1; a zero vector is at
// distance 1 from everything.
fn cosine(square: vec4<f32>, a: f32, b: vec4<f32>) -> vec4<f32> {
    let both = vec4<bool>(a > 0.0) & (b > vec4<f32>(0.0));
    return select(vec4<f32>(1.0), min(0.5 * square, vec4<f32>(2.0)), both);
}

// One over the lengths of four points; 0 for zero vectors.
fn over_lengths(squares: vec4<f32>) -> vec4<f32> {
    return select(vec4<f32>(0.0), vec4<f32>(1.0) / sqrt(squares), squares > vec4<f32>(0.0));
}

// The keys of a row of four pairs.
fn keys(sum: vec4<f32>, i: u32, j: vec4<u32>, n: u32) -> vec4<u32> {
    let bits = bitcast<vec4<u32>>(sum);
    return select(bits, vec4<u32>(NO_EDGE), (bits > vec4<u32>(MAX_KEY)) | (j == vec4<u32>(i)) | (j >= vec4<u32>(n)) | vec4<bool>(i >= n));
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let c = clouds[slice.cloud + group.z];
    let index = c.index;
    let block = block_of((slice.first + group_of(group, groups)) * 64u + lane);
    let bi = block.x;
    let bj = block.y;
    if bi * 4u >= c.n || c.stride == NO_POINTS {
        return;  // beyond the cloud, or distances that the host gave
    }
    let i = points_of(bi);
    let j = points_of(bj);
    let at_i = vec4<u32>(c.offset) + min(i, vec4<u32>(c.n - 1u)) * c.stride;
    let at_j = vec4<u32>(c.offset) + min(j, vec4<u32>(c.n - 1u)) * c.stride;
    var mean_i = vec4<f32>(0.0);
    var mean_j = vec4<f32>(0.0);
    if METRIC == 4u {
        for (var k = 0u; k < c.features; k++) {
            mean_i += load4(at_i, k);
            mean_j += load4(at_j, k);
        }
        mean_i /= f32(c.features);
        mean_j /= f32(c.features);
    }
    var s0 = vec4<f32>(0.0);
    var s1 = vec4<f32>(0.0);
    var s2 = vec4<f32>(0.0);
    var s3 = vec4<f32>(0.0);
    var strange = false;
    var a = vec4<f32>(1.0);
    var b = vec4<f32>(1.0);
    if METRIC >= 3u {
        var xx = vec4<f32>(0.0);
        var yy = vec4<f32>(0.0);
        for (var k = 0u; k < c.features; k++) {
            let x = load4(at_i, k) - mean_i;
            let y = load4(at_j, k) - mean_j;
            xx += x * x;
            yy += y * y;
        }
        a = over_lengths(xx);
        b = over_lengths(yy);
        strange = infinite(xx) || infinite(yy);
    }
    for (var k = 0u; k < c.features; k++) {
        var x = load4(at_i, k);
        var y = load4(at_j, k);
        // Not left to the sums: what max() makes of a NaN is up to the driver.
        strange = strange || infinite(x);
        if METRIC >= 3u {
            x = (x - mean_i) * a;
            y = (y - mean_j) * b;
        }
        s0 = step(s0, x.x, y);
        s1 = step(s1, x.y, y);
        s2 = step(s2, x.z, y);
        s3 = step(s3, x.w, y);
    }
    // Finite points whose distance is beyond all numbers.
    strange = strange || infinite(s0) || infinite(s1) || infinite(s2) || infinite(s3);
    if strange {
        atomicOr(&state[index * STATE_WORDS + FAILURE], FAILED_NAN);
    }
    if METRIC >= 3u {
        s0 = cosine(s0, a.x, b);
        s1 = cosine(s1, a.y, b);
        s2 = cosine(s2, a.z, b);
        s3 = cosine(s3, a.w, b);
    }
    let k0 = keys(s0, i.x, j, c.n);
    let k1 = keys(s1, i.y, j, c.n);
    let k2 = keys(s2, i.z, j, c.n);
    let k3 = keys(s3, i.w, j, c.n);
    let row = c.row / 4u;
    let below = c.table / 4u + i.x * row + bj;
    let above = c.table / 4u + j.x * row + bi;
    if i.x < c.n {
        set_table(below, k0);
    }
    if i.y < c.n {
        set_table(below + row, k1);
    }
    if i.z < c.n {
        set_table(below + 2u * row, k2);
    }
    if i.w < c.n {
        set_table(below + 3u * row, k3);
    }
    if bi == bj {
        return;
    }
    set_table(above, vec4<u32>(k0.x, k1.x, k2.x, k3.x));
    set_table(above + row, vec4<u32>(k0.y, k1.y, k2.y, k3.y));
    set_table(above + 2u * row, vec4<u32>(k0.z, k1.z, k2.z, k3.z));
    set_table(above + 3u * row, vec4<u32>(k0.w, k1.w, k2.w, k3.w));
}
