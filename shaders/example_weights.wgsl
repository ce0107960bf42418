// Gradients of each sample's loss by the weights of a convolution.
//
// In: form (below), what the convolution reads [samples, channels, height, width], and the gradients
// of the losses by what it gives [samples, filters, high, wide]. Out: [samples, filters, channels of
// a group, kernel rows, kernel columns]. Slice: a = workgroups, b = the first place; what the places
// before it gave is added.
//
// For one sample and one group of the convolution this is a product of two matrices: filters by
// places, and places by (channel, row, column) of the kernel. The second is never written down: its
// entries are looked up where they stand in the image. A workgroup makes 32 x 32 numbers of the
// product, a thread 4 x 4 of them, 16 places at a time in workgroup memory.
//#import cloud

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var<storage, read> form: array<u32>;
@group(0) @binding(2) var<storage, read> images: array<f32>;
@group(0) @binding(3) var<storage, read> gradients: array<f32>;
@group(0) @binding(4) var<storage, read_write> weights: array<f32>;

// Entries of form.
const CHANNELS: u32 = 0u;
const HEIGHT: u32 = 1u;
const WIDTH: u32 = 2u;
const FILTERS: u32 = 3u;
const HIGH: u32 = 4u;
const WIDE: u32 = 5u;
const GROUPS: u32 = 6u;
const KERNEL_ROWS: u32 = 7u;
const KERNEL_COLUMNS: u32 = 8u;
const STRIDE_ROWS: u32 = 9u;
const STRIDE_COLUMNS: u32 = 10u;
const PADDING_ROWS: u32 = 11u;
const PADDING_COLUMNS: u32 = 12u;

const TILE: u32 = 32u;
const PLACES: u32 = 16u;
const THREADS: u32 = 64u;
const MOST_PLACES: u32 = 16384u;  // a dispatch; in step with src/train/examples/convolution.rs

var<workgroup> left: array<f32, 512>;   // PLACES rows of TILE filters
var<workgroup> right: array<f32, 512>;  // PLACES rows of TILE (channel, row, column)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let item = slice.first + group_of(group, groups);
    if item >= slice.a {
        return;
    }
    let window = form[KERNEL_ROWS] * form[KERNEL_COLUMNS];
    let channels = form[CHANNELS] / form[GROUPS];
    let inputs = channels * window;
    let outputs = form[FILTERS] / form[GROUPS];
    let across = (inputs + TILE - 1u) / TILE;
    let down = (outputs + TILE - 1u) / TILE;
    let first_input = item % across * TILE;
    let first_output = item / across % down * TILE;
    let part = item / (across * down) % form[GROUPS];
    let sample = item / (across * down * form[GROUPS]);

    let places = form[HIGH] * form[WIDE];
    let plane = form[HEIGHT] * form[WIDTH];
    let image = (sample * form[CHANNELS] + part * channels) * plane;
    let gradient = (sample * form[FILTERS] + part * outputs) * places;
    let row = lane / 8u * 4u;
    let column = lane % 8u * 4u;
    var s0 = vec4<f32>(0.0);
    var s1 = vec4<f32>(0.0);
    var s2 = vec4<f32>(0.0);
    var s3 = vec4<f32>(0.0);
    let end = min(places, slice.b + MOST_PLACES);
    for (var begin = slice.b; begin < end; begin += PLACES) {
        for (var i = lane; i < PLACES * TILE; i += THREADS) {
            let place = begin + i % PLACES;
            let at = i / PLACES;
            let output = first_output + at;
            var dy = 0.0;
            if place < places && output < outputs {
                dy = gradients[gradient + output * places + place];
            }
            left[i % PLACES * TILE + at] = dy;
            let input = first_input + at;
            var x = 0.0;
            if place < places && input < inputs {
                let tap = input % window;
                // Below the padding they wrap around, and lie beyond the plane.
                let y = place / form[WIDE] * form[STRIDE_ROWS] + tap / form[KERNEL_COLUMNS] - form[PADDING_ROWS];
                let z = place % form[WIDE] * form[STRIDE_COLUMNS] + tap % form[KERNEL_COLUMNS] - form[PADDING_COLUMNS];
                if y < form[HEIGHT] && z < form[WIDTH] {
                    x = images[image + input / window * plane + y * form[WIDTH] + z];
                }
            }
            right[i % PLACES * TILE + at] = x;
        }
        workgroupBarrier();
        for (var k = 0u; k < PLACES; k++) {
            let l = k * TILE + row;
            let r = k * TILE + column;
            let x = vec4<f32>(right[r], right[r + 1u], right[r + 2u], right[r + 3u]);
            s0 += left[l] * x;
            s1 += left[l + 1u] * x;
            s2 += left[l + 2u] * x;
            s3 += left[l + 3u] * x;
        }
        workgroupBarrier();
    }
    var sums = array<vec4<f32>, 4>(s0, s1, s2, s3);
    for (var i = 0u; i < 4u; i++) {
        let output = first_output + row + i;
        if output >= outputs {
            break;
        }
        let at = ((sample * form[GROUPS] + part) * outputs + output) * inputs;
        for (var j = 0u; j < 4u; j++) {
            let input = first_input + column + j;
            if input < inputs {
                var before = 0.0;
                if slice.b > 0u {
                    before = weights[at + input];
                }
                weights[at + input] = before + sums[i][j];
            }
        }
    }
}
