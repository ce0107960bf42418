// Shape of the radix sort. BLOCK is in step with src/topology/wgsl/layout.rs.

const THREADS: u32 = 64u;
const EACH: u32 = 16u;     // pairs a thread
const BLOCK: u32 = 1024u;  // pairs a workgroup
const DIGITS: u32 = 16u;   // four bits
