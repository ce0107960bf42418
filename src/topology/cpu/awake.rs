//! Keeps the pool's threads awake while one cloud is worked on by all of them.
//!
//! A cloud of a thousand points takes a few milliseconds, in some thirty parallel steps with a
//! little serial work between them. Rayon's threads fall asleep in those gaps, and to wake one
//! takes longer than many a step. So here they go on looking for work, for as long as a gap may
//! last that is worth it, as the threads of OpenMP do.

use crate::clock::Instant;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// A thread that has found nothing to do for this long may sleep.
const PATIENCE: Duration = Duration::from_millis(3);

/// Runs `work` on a thread of the pool, while the others stand by. Nothing waits for a thread that
/// is busy elsewhere: when it comes to stand by, it finds the work done.
pub(super) fn awake<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| {
        let done = Arc::new(AtomicBool::new(false));
        let (worker, theirs) = (rayon::current_thread_index(), done.clone());
        rayon::spawn_broadcast(move |context| {
            if Some(context.index()) != worker {
                stand_by(&theirs);
            }
        });
        // Also when `work` panics: nobody stands by for longer.
        let _end = OnDrop(&done);
        work()
    })
}

/// Takes what work there is until `done`, or until there has been none for too long.
fn stand_by(done: &AtomicBool) {
    let mut last = Instant::now();
    while !done.load(Relaxed) && last.elapsed() < PATIENCE {
        if rayon::yield_now() == Some(rayon::Yield::Executed) {
            last = Instant::now();
        } else {
            // Where cores are fewer than threads, or taken by others, this one is not to be in the
            // way.
            std::thread::yield_now();
        }
    }
}

/// Sets its flag when it goes out of scope.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    #[test]
    fn work_is_shared_and_a_panic_comes_through() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        pool.install(|| {
            for round in 0..200u64 {
                let sum = awake(|| (0..round).into_par_iter().map(|i| (0..i).into_par_iter().sum::<u64>()).sum::<u64>());
                assert_eq!(sum, (0..round).map(|i| (0..i).sum::<u64>()).sum::<u64>());
            }
            let start = Instant::now();
            let caught = std::panic::catch_unwind(|| awake(|| assert!(start.elapsed() > Duration::MAX, "as it should")));
            assert!(caught.is_err());
            assert_eq!(awake(|| awake(rayon::current_num_threads)), 4);
        });
    }

    /// A short cloud does not wait until a thread is free that is busy with something long.
    #[test]
    fn nobody_waits_for_a_busy_thread() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let (busy, leave) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (is_busy, may_leave) = (busy.clone(), leave.clone());
        pool.spawn(move || {
            is_busy.store(true, Relaxed);
            while !may_leave.load(Relaxed) {
                std::thread::yield_now();
            }
        });
        while !busy.load(Relaxed) {
            std::thread::yield_now();
        }
        // The other thread leaves only after this is through.
        assert_eq!(pool.install(|| awake(|| 7)), 7);
        leave.store(true, Relaxed);
    }
}
