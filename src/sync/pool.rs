//! Work on many things at once that ends with the call.

/// What `act` gives for each of `items`, in their order, from as many threads as there are cores, named after `name`.
/// `None` when the system gives no threads.
#[cfg(not(any(shuttle, loom)))]
pub fn map_in_parallel<T: Sync, R: Send>(
    name: &'static str,
    items: &[T],
    act: impl Fn(&T) -> R + Send + Sync,
) -> Option<Vec<R>> {
    use rayon::prelude::*;
    let named = move |i| format!("{name}-{i}");
    let built = rayon::ThreadPoolBuilder::new().thread_name(named).build();
    let pool = built.inspect_err(|error| tracing::warn!(%error, name, "no threads for a pool")).ok()?;
    Some(pool.install(|| items.par_iter().map(act).collect()))
}

/// One after the other: the threads of a pool are no scheduler's.
#[cfg(any(shuttle, loom))]
pub fn map_in_parallel<T, R>(_name: &'static str, items: &[T], act: impl Fn(&T) -> R) -> Option<Vec<R>> {
    Some(items.iter().map(act).collect())
}
