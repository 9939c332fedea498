//! Places where a test pulls the plug. In a release build these are nothing.

/// Ends this process as `kill -9` would when `REVEILLE_FAILPOINT` names this place (`name` or `name:N` for the Nth pass).
#[cfg(debug_assertions)]
pub fn reach(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static WANTED: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static PASSES: AtomicU32 = AtomicU32::new(0);
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("REVEILLE_FAILPOINT").ok()?;
        Some(match text.split_once(':') {
            Some((name, nth)) => (name.to_owned(), nth.parse().unwrap_or(1)),
            None => (text, 1),
        })
    });
    if let Some((wanted, nth)) = wanted
        && wanted == name
        && PASSES.fetch_add(1, Ordering::SeqCst) + 1 == *nth
    {
        if let Some(me) = rustix::process::Pid::from_raw(i32::try_from(std::process::id()).unwrap_or(0)) {
            rustix::process::kill_process(me, rustix::process::Signal::KILL).unwrap_or_default();
        }
        std::process::abort();
    }
}

/// Ends this process in a debug build; nothing here.
#[cfg(not(debug_assertions))]
pub const fn reach(_name: &str) {}
