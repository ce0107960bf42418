//! What the host does for clouds that the device does not finish: all of those that outgrew the
//! memory set aside for them, and the columns above dimension 1. Where there are threads, the
//! device goes on with the next batch meanwhile.

use super::Wanted;
use super::batch::Batch;
use super::layout::State;
use crate::clock::Instant;
use crate::error::{Error, Result};
use crate::topology::barcode::Pairs;
use crate::topology::cpu::{Filtration, Half, check_table};
use crate::topology::order::{Entry, Key};

/// Rows of a table that are read back at once.
const ROWS_AT_ONCE: usize = 4096;

/// What a batch gives for a cloud.
pub(super) enum Found {
    /// All that was asked for.
    Whole(Pairs),
    /// What the host needs to find it.
    Rest(Box<Rest>),
}

/// A cloud's table, and what the device has learnt about it.
pub(super) struct Rest {
    filtration: Filtration,
    half: Option<(Pairs, Half)>,
}

impl Rest {
    /// Reads a cloud's table back. With `half`, the pairs of dimensions 0 and 1 are known and what
    /// was learnt on the way to them; only the voids are left to find.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a table that the host has no room for.
    pub async fn read(
        batch: &Batch<'_>,
        cloud: usize,
        state: &State,
        half: Option<(Pairs, Half)>,
        max_dim: usize,
    ) -> Result<Found> {
        let r = batch.records[cloud];
        let (n, width) = (r.n as usize, r.row as usize);
        check_table(n, max_dim).map_err(|e| Error::TooLarge(e.to_string()))?;
        let mut table: Vec<Entry> = Vec::with_capacity(n * n);
        for first in (0..n).step_by(ROWS_AT_ONCE) {
            let rows = ROWS_AT_ONCE.min(n - first);
            let keys = batch.table.download(batch.gpu, r.table as usize + first * width, rows * width).await?;
            keys.chunks(width).for_each(|row| table.extend(row[..n].iter().map(|&k| Key(k).entry())));
        }
        let filtration = Filtration::new(n, table, Key(state.limit).min(Key::MAX).entry());
        Ok(Found::Rest(Box::new(Self { filtration, half })))
    }

    fn pairs(self, wanted: Wanted<'_>) -> Result<Pairs> {
        let parallel = rayon::current_num_threads() > 1;
        match self.half {
            None => self.filtration.pairs(wanted.max_dim, parallel, wanted.task),
            Some((mut pairs, half)) => {
                pairs.classes.push(half.voids(self.filtration, parallel, wanted.task)?);
                Ok(pairs)
            }
        }
    }
}

/// The pairs of a batch, and the seconds that the host took for them, if it had to.
struct Finished {
    pairs: Vec<Pairs>,
    seconds: Option<f64>,
}

fn finish(found: Vec<Found>, wanted: Wanted<'_>) -> Result<Finished> {
    let start = Instant::now();
    let needed = found.iter().any(|f| matches!(f, Found::Rest(_)));
    let pairs = found.into_iter().map(|f| match f {
        Found::Whole(pairs) => Ok(pairs),
        Found::Rest(rest) => rest.pairs(wanted),
    });
    let pairs = pairs.collect::<Result<_>>()?;
    Ok(Finished { pairs, seconds: needed.then(|| start.elapsed().as_secs_f64()) })
}

/// Where the host's part runs: the caller's pool of threads, while the clouds and the task last. A
/// browser has none.
#[cfg(not(target_arch = "wasm32"))]
pub(super) type Threads<'a, 'scope> = &'a rayon::Scope<'scope>;
#[cfg(target_arch = "wasm32")]
pub(super) type Threads<'a, 'scope> = std::marker::PhantomData<(&'a (), &'scope ())>;

/// The host's part of all batches, in order.
pub(super) struct Host<'a, 'scope> {
    wanted: Wanted<'scope>,
    take: &'a mut dyn FnMut(Pairs),
    /// Seconds that the host took in all.
    pub seconds: Option<f64>,
    /// Clouds that the device had no room for.
    pub without_device: usize,
    threads: Threads<'a, 'scope>,
    /// The batch before, where the host is not done with it.
    #[cfg(not(target_arch = "wasm32"))]
    working: Option<std::sync::mpsc::Receiver<Result<Finished>>>,
}

impl<'a, 'scope> Host<'a, 'scope> {
    /// Pairs are handed to `take`, cloud by cloud.
    pub fn new(wanted: Wanted<'scope>, take: &'a mut dyn FnMut(Pairs), threads: Threads<'a, 'scope>) -> Self {
        Self {
            wanted,
            take,
            seconds: None,
            without_device: 0,
            threads,
            #[cfg(not(target_arch = "wasm32"))]
            working: None,
        }
    }

    /// Takes over a batch, after all that the batch before it gives was handed on.
    ///
    /// # Errors
    /// Those of the batch before it. Those of this one come with it or with the next call.
    pub fn take_over(&mut self, found: Vec<Found>) -> Result<()> {
        self.catch_up()?;
        let wanted = self.wanted;
        #[cfg(not(target_arch = "wasm32"))]
        if found.iter().any(|f| matches!(f, Found::Rest(_))) {
            let (done, working) = std::sync::mpsc::channel();
            self.threads.spawn(move |_| {
                // Nobody listens any more after a mistake elsewhere.
                let _ = done.send(finish(found, wanted));
            });
            self.working = Some(working);
            return Ok(());
        }
        self.hand_on(finish(found, wanted)?);
        Ok(())
    }

    /// Waits until nothing is left to do, and hands on what it gives.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] when the task is cancelled, and those of the native engine.
    pub fn catch_up(&mut self) -> Result<()> {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(working) = self.working.take() {
            let finished = wait(&working)?;
            self.hand_on(finished);
        }
        Ok(())
    }

    fn hand_on(&mut self, finished: Finished) {
        if let Some(seconds) = finished.seconds {
            *self.seconds.get_or_insert(0.0) += seconds;
        }
        finished.pairs.into_iter().for_each(&mut *self.take);
    }
}

/// Waits for the host's part. A thread of the pool works meanwhile, maybe on that part itself: it
/// may be the only one.
#[cfg(not(target_arch = "wasm32"))]
fn wait(working: &std::sync::mpsc::Receiver<Result<Finished>>) -> Result<Finished> {
    use std::sync::mpsc::TryRecvError;
    let panicked = || Error::Internal("the host's part of a batch panicked".into());
    loop {
        match working.try_recv() {
            Ok(finished) => return finished,
            Err(TryRecvError::Disconnected) => return Err(panicked()),
            Err(TryRecvError::Empty) => match rayon::yield_now() {
                Some(rayon::Yield::Executed) => {}
                Some(rayon::Yield::Idle) => std::thread::sleep(std::time::Duration::from_micros(200)),
                None => return working.recv().map_err(|_| panicked())?,
            },
        }
    }
}
