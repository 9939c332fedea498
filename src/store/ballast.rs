//! Ballast: a file beside the SQLite database that holds room for the night on which the disk is full. It is let go at the first write that
//! finds no room, and made again when there is room enough; PostgreSQL's disk is not ours to keep.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::fs::{FallocateFlags, fallocate, statvfs};

use super::error::StoreError;
use crate::base::bell::Bell;

/// The room kept. Clones share it.
#[derive(Debug, Clone)]
pub struct Ballast(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    bytes: u64,
    held: AtomicBool,
    /// Whether it was let go for want of room, and there has been none since.
    short: AtomicBool,
}

impl Ballast {
    pub(super) fn beside(database: &Path, bytes: u64) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push(".ballast");
        Self(Arc::new(Inner { path: path.into(), bytes, held: AtomicBool::new(false), short: AtomicBool::new(false) }))
    }

    /// Whether the room is kept.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.held.load(Ordering::Relaxed)
    }

    /// Whether it was let go because the disk was full, and could not be made again yet.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.0.short.load(Ordering::Relaxed)
    }

    /// Gives the room to whoever needs it. `true` the first time, when there is room again.
    pub(super) fn let_go(&self) -> bool {
        self.0.short.store(true, Ordering::Relaxed);
        if !self.0.held.swap(false, Ordering::Relaxed) {
            return false;
        }
        match std::fs::remove_file(&self.0.path) {
            Ok(()) => {
                tracing::error!(file = %self.0.path.display(), bytes = self.0.bytes,
                    "the disk is full: its ballast was let go, and pages have that much room. Make room now");
                true
            }
            Err(error) => {
                tracing::error!(%error, file = %self.0.path.display(), "the disk is full and its ballast cannot be let go");
                false
            }
        }
    }

    /// Makes the file unless it is there, if that leaves as much room again. It waits for the disk.
    pub(super) fn keep(&self) -> io::Result<()> {
        if self.is_held() {
            return Ok(());
        }
        let folder = self.0.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if std::fs::metadata(&self.0.path).is_ok_and(|about| about.len() == self.0.bytes) {
            // Left by the process before. It takes its name only when it is whole.
            self.0.held.store(true, Ordering::Relaxed);
            return Ok(());
        }
        let room = statvfs(folder)?;
        // Once let go, it is not made of the last room there is: the next write would have to let it go again.
        let spare = if self.is_short() { self.0.bytes } else { 0 };
        if room.f_bavail.saturating_mul(room.f_frsize) < self.0.bytes + spare {
            self.0.short.store(true, Ordering::Relaxed);
            return Ok(());
        }
        if let Err(error) = self.make() {
            self.0.short.store(true, Ordering::Relaxed);
            return Err(error);
        }
        self.0.held.store(true, Ordering::Relaxed);
        if self.0.short.swap(false, Ordering::Relaxed) {
            tracing::info!(file = %self.0.path.display(), "there is room on the disk again, and its ballast is back");
        }
        Ok(())
    }

    fn make(&self) -> io::Result<()> {
        let mut draft = self.0.path.as_os_str().to_owned();
        draft.push(".new");
        let draft = PathBuf::from(draft);
        let made = self.fill(&draft).and_then(|()| std::fs::rename(&draft, &self.0.path));
        if made.is_err() {
            // Half a ballast takes room and gives none.
            std::fs::remove_file(&draft).or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
        }
        made
    }

    fn fill(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        match fallocate(&file, FallocateFlags::empty(), 0, self.0.bytes) {
            Ok(()) => {}
            Err(rustix::io::Errno::OPNOTSUPP) => self.write_through(&mut file)?,
            Err(error) => return Err(error.into()),
        }
        file.sync_all()
    }

    /// Random bytes: a file system that packs or shares what is alike would keep no room at all for zeros.
    fn write_through(&self, file: &mut File) -> io::Result<()> {
        let random = SystemRandom::new();
        let mut piece = vec![0; 1 << 20];
        let mut left = self.0.bytes;
        while left > 0 {
            random.fill(&mut piece).map_err(|_| io::Error::other("the system gives no randomness"))?;
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            file.write_all(&piece[..now])?;
            left -= now as u64;
        }
        Ok(())
    }
}

/// What to say of a write that found no room. The ballast is let go for the next; where there is none left, this rings.
pub(super) fn no_room(ballast: Option<&Ballast>, bell: Option<&Bell>) -> StoreError {
    if ballast.is_some_and(Ballast::let_go) {
        return StoreError::Busy("the disk was full, and its ballast has been let go".to_owned());
    }
    if let Some(bell) = bell {
        bell.ring_here();
    }
    StoreError::Full
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ballast_is_made_once_let_go_once_and_made_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("pages.db");
        let ballast = Ballast::beside(&database, 1 << 16);
        let path = folder.path().join("pages.db.ballast");
        assert!(!ballast.is_held() && !ballast.let_go(), "there is nothing to let go");
        ballast.keep().expect("there is room");
        assert!(ballast.is_held() && !ballast.is_short());
        assert_eq!(std::fs::metadata(&path).expect("it is there").len(), 1 << 16);
        // The next start finds it.
        let next = Ballast::beside(&database, 1 << 16);
        next.keep().expect("it is there");
        assert!(next.let_go() && next.is_short() && !path.exists());
        assert!(!next.let_go(), "only once");
        next.keep().expect("there is room");
        assert!(next.is_held() && !next.is_short() && path.exists());
    }

    #[test]
    fn more_ballast_than_there_is_room_is_not_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let ballast = Ballast::beside(&folder.path().join("pages.db"), 1 << 60);
        ballast.keep().expect("nothing is tried");
        assert!(!ballast.is_held() && ballast.is_short() && !folder.path().join("pages.db.ballast").exists());
    }

    #[test]
    fn where_room_cannot_be_reserved_it_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let ballast = Ballast::beside(&folder.path().join("pages.db"), (1 << 20) + 7);
        let mut file = File::create(folder.path().join("x")).expect("a file");
        ballast.write_through(&mut file).expect("it is written");
        assert_eq!(std::fs::metadata(folder.path().join("x")).expect("it is there").len(), (1 << 20) + 7);
    }
}
