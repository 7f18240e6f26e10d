//! Work that is given out to the threads of the pool that the caller runs in.

use std::cmp::Reverse;
use std::sync::{Mutex, PoisonError};

type Task<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Tasks that may run at once, each on one thread.
#[derive(Default)]
pub struct Tasks<'a>(Vec<(usize, Task<'a>)>);

impl<'a> Tasks<'a> {
    /// One more, of this length in any unit.
    pub fn add(&mut self, length: usize, task: impl FnOnce() + Send + 'a) {
        self.0.push((length, Box::new(task)));
    }

    /// Run them all, the longest first: a long one that is begun last leaves the other threads idle.
    pub fn run(mut self) {
        self.0.sort_by_key(|(length, _)| Reverse(*length));
        let rest = Mutex::new(self.0.into_iter());
        let next = || rest.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || {
            while let Some((_, task)) = next() {
                task();
            }
        };
        rayon::scope(|scope| {
            (1..rayon::current_num_threads()).for_each(|_| scope.spawn(|_| work()));
            work();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_comes_first() {
        let order = Mutex::new(Vec::new());
        let mut tasks = Tasks::default();
        for length in [2, 7, 1, 5] {
            let order = &order;
            tasks.add(length, move || order.lock().unwrap().push(length));
        }
        rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(|| tasks.run());
        assert_eq!(order.into_inner().unwrap(), [7, 5, 2, 1]);
    }
}
