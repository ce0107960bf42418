//! What every point of a graph has of its edges.

/// Something of every edge, at both of its ends, point by point.
pub(super) struct BothEnds<T> {
    /// Where the edges of every point begin; one more says where the last ones end.
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T: Copy + Default> BothEnds<T> {
    /// Of edges between so many points, fewer than `2^31`. `edges` gives each edge with `value`, of
    /// which `item` makes what its one end has, given the other.
    pub fn new<V: Copy>(n: usize, edges: impl Iterator<Item = ((u32, u32), V)> + Clone, item: impl Fn(u32, V) -> T) -> Self {
        let mut starts = vec![0u32; n + 1];
        for ((i, j), _) in edges.clone() {
            starts[i as usize + 1] += 1;
            starts[j as usize + 1] += 1;
        }
        for v in 0..n {
            starts[v + 1] += starts[v];
        }
        let mut next = starts.clone();
        let mut items = vec![T::default(); starts[n] as usize];
        for ((i, j), value) in edges {
            for (from, to) in [(i, j), (j, i)] {
                items[next[from as usize] as usize] = item(to, value);
                next[from as usize] += 1;
            }
        }
        Self { starts, items }
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Of the edges at one point.
    #[inline(always)]
    pub fn at(&self, point: u32) -> &[T] {
        &self.items[self.starts[point as usize] as usize..self.starts[point as usize + 1] as usize]
    }

    /// The same of every point, to be changed.
    pub fn all_mut(&mut self) -> Vec<&mut [T]> {
        let mut rest = self.items.as_mut_slice();
        let list = |w: &[u32]| rest.split_off_mut(..(w[1] - w[0]) as usize).unwrap_or_default();
        self.starts.windows(2).map(list).collect()
    }

    /// Of the edges at that of two points which has fewer, and the other point.
    #[inline(always)]
    pub fn at_fewer(&self, p: u32, q: u32) -> (&[T], u32) {
        let (of_p, of_q) = (self.at(p), self.at(q));
        if of_p.len() < of_q.len() { (of_p, q) } else { (of_q, p) }
    }
}
