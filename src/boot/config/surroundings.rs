//! What lies around the file: environment variables and the files that secrets stand in. Given, so that a test needs neither.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

type ReadFile = dyn Fn(&Path) -> io::Result<String> + Send + Sync;

/// The environment and the files as one reading of the configuration sees them.
pub struct Surroundings {
    variables: BTreeMap<String, String>,
    read: Box<ReadFile>,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        // A variable that is no UTF-8 cannot be one of ours.
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self { variables: variables.collect(), read: Box::new(|path| std::fs::read_to_string(path)) }
    }

    /// Made-up ones: variables, and files by path.
    #[must_use]
    pub fn made(variables: &[(&str, &str)], files: &[(&str, &str)]) -> Self {
        let owned = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let files = owned(files);
        let read = move |path: &Path| {
            let found = path.to_str().and_then(|path| files.get(path)).cloned();
            found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
        };
        Self { variables: owned(variables), read: Box::new(read) }
    }

    pub(super) fn read(&self, path: &Path) -> io::Result<String> {
        (self.read)(path)
    }

    /// A variable's value. An empty one counts as unset, as a compose file leaves it.
    pub(super) fn variable(&self, name: &str) -> Option<(&str, &str)> {
        self.variables.get_key_value(name).filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str())
    }
}

/// Only the names: the values hold secrets.
impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.variables.keys()).finish()
    }
}
