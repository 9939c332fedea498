//! The name under which a process holds leases. Every start has one of its own, and knows the one before it, whose leases it takes back:
//! but only where it is certain that the process which held them was this one, in this folder of this machine. A folder that was copied
//! elsewhere, with the name in it, must not take the leases of the server it was copied from.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::BootError;
use crate::base::secret::{Secret, digest_hex};

/// Far more than anybody runs on one machine; it only bounds a search.
const REPLICAS_IN_A_FOLDER: usize = 64;

pub(super) struct Owner {
    pub name: String,
    /// Whose leases are ours to take back.
    pub former: Option<String>,
    /// Locked for as long as this process lives: whoever starts beside it takes the next file.
    pub held: File,
}

/// Takes the first file of the folder that no other process holds, and writes a new name into it.
pub(super) fn take(var: &Path) -> Result<Owner, BootError> {
    for n in 1..=REPLICAS_IN_A_FOLDER {
        let path = var.join(if n == 1 { "replica-id".to_owned() } else { format!("replica-id.{n}") });
        let failed = |source| BootError::File { path: path.clone(), source };
        std::fs::create_dir_all(var).map_err(failed)?;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => return renew(file, &path).map_err(failed),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
    Err(BootError::Refused(format!("{REPLICAS_IN_A_FOLDER} servers run with the folder {} already", var.display())))
}

/// The new name is on the disk before anything is held under it. A start that dies over this leaves leases that run out by themselves.
fn renew(mut file: File, path: &Path) -> io::Result<Owner> {
    let place = place(&file, path)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut lines = text.lines();
    let former = lines.next().filter(|name| !name.is_empty() && lines.next() == Some(&place)).map(str::to_owned);
    let name = Secret::random().digest()[..16].to_owned();
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("{name}\n{place}\n").as_bytes())?;
    file.sync_all()?;
    Ok(Owner { name, former, held: file })
}

/// This file of this machine: a copy has another number, and another machine another name.
fn place(file: &File, path: &Path) -> io::Result<String> {
    let about = file.metadata()?;
    let path = path.canonicalize()?;
    // Where a system has none of these, the file's own number is left to tell copies apart.
    let [machine, host] = ["/etc/machine-id", "/proc/sys/kernel/hostname"].map(|path| std::fs::read_to_string(path).unwrap_or_default());
    Ok(digest_hex(format!("{machine}\0{host}\0{}\0{}\0{}", path.display(), about.dev(), about.ino()).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_knows_its_former_name_and_a_copy_does_not() {
        let (here, there) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let first = take(here.path()).expect("a name");
        assert_eq!(first.former, None);
        let beside = take(here.path()).expect("another name");
        assert_ne!(beside.name, first.name);
        assert_eq!(beside.former, None);
        // Copied while the first one runs.
        std::fs::copy(here.path().join("replica-id"), there.path().join("replica-id")).expect("it is copied");
        assert_eq!(take(there.path()).expect("a name").former, None);
        let name = first.name.clone();
        drop(first);
        let again = take(here.path()).expect("a name");
        assert_eq!(again.former, Some(name));
        assert_ne!(Some(again.name), again.former);
    }

    #[test]
    fn what_is_no_name_is_nobodys() {
        let here = tempfile::tempdir().expect("a folder");
        for text in [&b""[..], b"\n", b"a name alone\n", b"\xff\xfe\n\n"] {
            std::fs::write(here.path().join("replica-id"), text).expect("it can be written");
            assert_eq!(take(here.path()).expect("a name").former, None, "{text:?}");
        }
    }
}
