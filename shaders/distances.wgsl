// Pairwise distances as sortable keys, 16 x 16 pairs a workgroup.
//
// In: points. Out: table, both triangles; the diagonal is NO_EDGE.
// Sums run by differences from the first coordinate to the last. Only tiles of the lower triangle compute; they
// write both halves, so the table is symmetric bit for bit. O(n^2 features) a cloud.
//#import cloud

override METRIC: u32 = 0u;  // 0 squared differences, 1 cityblock, 2 chebyshev, 3 cosine, 4 correlation
const SIDE: u32 = 16u;

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> clouds: array<Cloud>;
@group(0) @binding(2) var<storage, read> points: array<f32>;
@group(0) @binding(3) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> table: array<u32>;

var<workgroup> xs: array<f32, 272>;  // rows of 17: no two threads of a column on one bank
var<workgroup> ys: array<f32, 272>;

@compute @workgroup_size(16, 16)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let index = slice.cloud + group.z;
    let c = clouds[index];
    let tiles = (c.n + SIDE - 1u) / SIDE;
    let tile = slice.first + group_of(group, groups);
    let ti = tile / tiles;
    let tj = tile % tiles;
    if ti >= tiles || tj > ti || c.stride == NO_POINTS {
        return;  // beyond the cloud, the upper triangle, or distances that the host gave
    }
    // Thread (x, y) pairs row i = y of the one tile with row j = x of the other, and loads coordinate x of row y of both.
    let i = ti * SIDE + local.y;
    let j = tj * SIDE + local.x;
    let loads_j = tj * SIDE + local.y;
    var sum = 0.0;
    var xx = 0.0;
    var yy = 0.0;
    // Correlation is the cosine of what is left of the rows that a thread loads without their means.
    var mean_i = 0.0;
    var mean_j = 0.0;
    if METRIC == 4u {
        for (var k = 0u; k < c.features; k++) {
            if i < c.n {
                mean_i += points[c.offset + i * c.stride + k];
            }
            if loads_j < c.n {
                mean_j += points[c.offset + loads_j * c.stride + k];
            }
        }
        mean_i /= f32(c.features);
        mean_j /= f32(c.features);
    }
    for (var k0 = 0u; k0 < c.features; k0 += SIDE) {
        let k = k0 + local.x;
        var x = 0.0;
        var y = 0.0;
        if k < c.features {
            if i < c.n {
                x = points[c.offset + i * c.stride + k];
            }
            if loads_j < c.n {
                y = points[c.offset + loads_j * c.stride + k];
            }
        }
        // Not left to the sums: what max() makes of a NaN is up to the driver.
        if ((bitcast<u32>(x) & 0x7fffffffu) >= 0x7f800000u) || ((bitcast<u32>(y) & 0x7fffffffu) >= 0x7f800000u) {
            atomicOr(&state[index * STATE_WORDS + FAILURE], FAILED_NAN);
        }
        x -= mean_i;
        y -= mean_j;
        xs[local.y * 17u + local.x] = x;
        ys[local.y * 17u + local.x] = y;
        workgroupBarrier();
        let width = min(SIDE, c.features - k0);
        for (var q = 0u; q < width; q++) {
            let u = xs[local.y * 17u + q];
            let v = ys[local.x * 17u + q];
            switch METRIC {
                case 1u: { sum += abs(u - v); }
                case 2u: { sum = max(sum, abs(u - v)); }
                case 3u, 4u: {
                    sum += u * v;
                    xx += u * u;
                    yy += v * v;
                }
                default: { sum += (u - v) * (u - v); }
            }
        }
        workgroupBarrier();
    }
    if i >= c.n || j > i {
        return;
    }
    if METRIC >= 3u {
        let norms = sqrt(xx) * sqrt(yy);
        if norms > 0.0 {
            sum = max(1.0 - sum / norms, 0.0);
        } else {
            sum = 1.0;
        }
    }
    var key = bitcast<u32>(sum);
    if i == j || key > MAX_KEY {
        key = NO_EDGE;
    }
    table[c.table + i * c.n + j] = key;
    table[c.table + j * c.n + i] = key;
}
