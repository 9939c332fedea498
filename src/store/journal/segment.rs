//! The form of the journal's files, beside a SQLite database: `reveille.db.journal-1`, `-2`, and so on.
//!
//! A file begins with a head: the word `reveilj1`, whose database it belongs to, the file's number, and a check (CRC-32) over these. One
//! record for each row follows: its length, a check over the file's number and what comes, when it came, how many signals it holds, its
//! turn, its id, its integration, and its body. All numbers are little-endian. Zeros come after the last record; a file is made whole
//! before anything is written into it, because to make a file longer costs the disk as much again as to write into it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{Filed, JournalRow};
use crate::base::id::{IntegrationId, JournalId};
use crate::base::time::Time;

const WORD: &[u8; 8] = b"reveilj1";
/// Bytes of the head, and so the place of the first record.
pub(super) const HEAD: u64 = HEAD_BYTES as u64;
const HEAD_BYTES: usize = 28;
/// Bytes of a record before what is checked.
const FRAME: usize = 8;

/// Whose file it is, and which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// The database's own number, which is stored in it.
    pub home: i64,
    pub number: i64,
}

/// A row as it was found, and where.
#[derive(Debug)]
pub(super) struct Found {
    pub filed: Filed,
    pub at: u64,
    pub bytes: usize,
}

/// `reveille.db.journal-7`.
pub(super) fn path(base: &Path, number: i64) -> PathBuf {
    let mut name = base.as_os_str().to_owned();
    name.push(format!(".journal-{number}"));
    name.into()
}

/// The numbers of the files that are there, lowest first.
pub(super) fn numbers(base: &Path) -> io::Result<Vec<i64>> {
    let Some(name) = base.file_name().and_then(|name| name.to_str()) else { return Ok(Vec::new()) };
    let stem = format!("{name}.journal-");
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder(base))? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_prefix(&stem)).and_then(|number| number.parse::<i64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes a file of so many bytes. Both it and its name survive a power cut when this returns.
pub(super) fn make(base: &Path, head: Head, bytes: u64) -> io::Result<File> {
    let path = path(base, head.number);
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    let made = fill(&mut file, head, bytes).and_then(|()| sync_names(base));
    match made {
        Ok(()) => Ok(file),
        Err(error) => {
            // Half a file takes room and is of no use; that it cannot be taken away is told by the next start.
            std::fs::remove_file(&path).unwrap_or_default();
            Err(error)
        }
    }
}

fn fill(file: &mut File, head: Head, bytes: u64) -> io::Result<()> {
    file.write_all(&head.written())?;
    let zeros = vec![0; 1 << 18];
    let mut left = bytes.saturating_sub(HEAD);
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len());
        file.write_all(&zeros[..now])?;
        left -= now as u64;
    }
    file.sync_all()
}

/// Takes a file away, so that it does not come back after a power cut.
pub(super) fn remove(base: &Path, number: i64) -> io::Result<()> {
    match std::fs::remove_file(path(base, number)) {
        Ok(()) => sync_names(base),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes durable which files there are.
pub(super) fn sync_names(base: &Path) -> io::Result<()> {
    File::open(folder(base))?.sync_all()
}

fn folder(base: &Path) -> &Path {
    base.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Head {
    fn written(self) -> Vec<u8> {
        let mut head = WORD.to_vec();
        head.extend(self.home.to_le_bytes());
        head.extend(self.number.to_le_bytes());
        head.extend(crc32fast::hash(&head).to_le_bytes());
        head
    }

    /// `None` where a file was never made whole: then nothing was ever written into it.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (head, check) = bytes.get(..HEAD_BYTES)?.split_at(HEAD_BYTES - 4);
        let mut read = Bytes(head);
        let word = read.take(WORD.len())?;
        let read = Self { home: read.number()?, number: read.number()? };
        (word == WORD && crc32fast::hash(head).to_le_bytes() == check).then_some(read)
    }
}

/// How many bytes a row takes.
pub(super) fn size(filed: &Filed) -> u64 {
    let Filed { row, integration, .. } = filed;
    let texts = [row.id.as_str(), integration.as_ref().map_or("", IntegrationId::as_str), &row.body];
    (FRAME + 3 * 8 + texts.map(|text| 4 + text.len()).iter().sum::<usize>()) as u64
}

/// Writes a row after what is in `out`.
pub(super) fn write(out: &mut Vec<u8>, number: i64, filed: &Filed) {
    let Filed { row, integration, turn } = filed;
    let begin = out.len();
    out.extend([0; FRAME]);
    for value in [row.at.0, row.signals, *turn] {
        out.extend(value.to_le_bytes());
    }
    for text in [row.id.as_str(), integration.as_ref().map_or("", IntegrationId::as_str), &row.body] {
        out.extend(length(text.len()).to_le_bytes());
        out.extend(text.as_bytes());
    }
    let bytes = length(out.len() - begin - FRAME).to_le_bytes();
    let check = check(number, &out[begin + FRAME..]).to_le_bytes();
    out[begin..begin + 4].copy_from_slice(&bytes);
    out[begin + 4..begin + FRAME].copy_from_slice(&check);
}

/// A body is some megabytes at most; a longer one could not be read back and fails its check.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn check(number: i64, content: &[u8]) -> u32 {
    let mut check = crc32fast::Hasher::new();
    check.update(&number.to_le_bytes());
    check.update(content);
    check.finalize()
}

/// Every row of a file, in the order in which they were written, and whether something follows them that is none: it was being written
/// when the power went.
pub(super) fn rows(bytes: &[u8], number: i64) -> (Vec<Found>, bool) {
    let (mut found, mut at) = (Vec::new(), HEAD_BYTES);
    while let Some((filed, length)) = bytes.get(at..).and_then(|rest| one(rest, number)) {
        found.push(Found { filed, at: at as u64, bytes: length });
        at += length;
    }
    let is_torn = bytes.get(at..).is_some_and(|rest| rest.iter().any(|byte| *byte != 0));
    (found, is_torn)
}

/// The row with which these bytes begin, and how many it takes.
fn one(bytes: &[u8], number: i64) -> Option<(Filed, usize)> {
    let mut frame = Bytes(bytes);
    let length = frame.length()?;
    let told: [u8; 4] = frame.take(4)?.try_into().ok()?;
    let content = frame.take(length).filter(|content| !content.is_empty())?;
    if check(number, content) != u32::from_le_bytes(told) {
        return None;
    }
    let mut read = Bytes(content);
    let (at, signals, turn) = (Time(read.number()?), read.number()?, read.number()?);
    let (id, integration, body) = (read.text()?, read.text()?, read.text()?);
    let integration = (!integration.is_empty()).then(|| IntegrationId::from_text(integration));
    let row = JournalRow { id: JournalId::from_text(id), at, signals, body };
    Some((Filed { row, integration, turn }, FRAME + length))
}

/// The row at this place.
pub(super) fn row_at(file: &File, number: i64, at: u64, bytes: usize) -> io::Result<JournalRow> {
    let mut record = vec![0; bytes];
    file.read_exact_at(&mut record, at)?;
    let (filed, _) = one(&record, number).ok_or_else(|| io::Error::other("what was written here is not there any more"))?;
    Ok(filed.row)
}

/// Bytes that are still to be read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<i64> {
        self.take(8)?.try_into().ok().map(i64::from_le_bytes)
    }

    fn length(&mut self) -> Option<usize> {
        let length = self.take(4)?.try_into().ok().map(u32::from_le_bytes)?;
        usize::try_from(length).ok()
    }

    fn text(&mut self) -> Option<String> {
        let length = self.length()?;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filed(n: i64, body: &str) -> Filed {
        let row = JournalRow { id: JournalId::from_text(format!("jrn_{n}")), at: Time(n), signals: n, body: body.to_owned() };
        Filed { row, integration: (n % 2 == 0).then(|| "sender".into()), turn: 7 * n }
    }

    fn written(number: i64, rows: &[Filed]) -> Vec<u8> {
        let mut bytes = Head { home: 5, number }.written();
        for row in rows {
            write(&mut bytes, number, row);
        }
        bytes
    }

    #[test]
    fn what_was_written_is_read_back() {
        let rows_written = [filed(1, "[]"), filed(2, ""), filed(3, "ü\0\u{1f525}")];
        let mut bytes = written(9, &rows_written);
        bytes.extend([0; 100]);
        assert_eq!(Head::read(&bytes), Some(Head { home: 5, number: 9 }));
        assert_eq!(written(9, &rows_written[..1]).len() as u64, HEAD + size(&rows_written[0]));
        let (found, is_torn) = rows(&bytes, 9);
        assert!(!is_torn);
        assert_eq!(found.into_iter().map(|found| found.filed).collect::<Vec<_>>(), rows_written);
        // The same bytes under another number are another file's, and nothing here.
        assert!(rows(&bytes, 8).0.is_empty());
    }

    /// The power may go at each byte: what was written before stays, and half a row is none.
    #[test]
    fn a_file_that_breaks_off_holds_what_was_whole() {
        let whole = [filed(1, "first"), filed(2, "second")];
        let (one_row, two_rows) = (written(3, &whole[..1]).len(), written(3, &whole).len());
        let bytes = written(3, &whole);
        for end in 0..two_rows {
            let mut broken = bytes[..end].to_vec();
            broken.resize(two_rows + 64, 0);
            let wanted = usize::from(end >= one_row);
            let (found, is_torn) = rows(&broken, 3);
            assert_eq!(found.len(), wanted, "after {end} bytes");
            assert!(found.iter().zip(&whole).all(|(found, row)| found.filed == *row));
            // Zeros at the end of half a row cannot be told from none.
            let says_something = broken[[HEAD_BYTES, one_row][wanted]..].iter().any(|byte| *byte != 0);
            assert_eq!(is_torn, says_something, "after {end} bytes");
        }
        assert!((0..HEAD_BYTES).all(|end| Head::read(&bytes[..end]).is_none()));
    }

    #[test]
    fn one_wrong_byte_is_seen() {
        let bytes = written(3, &[filed(1, "first"), filed(2, "second")]);
        let one_row = written(3, &[filed(1, "first")]).len();
        for at in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] ^= 0x20;
            if at < HEAD_BYTES {
                assert_eq!(Head::read(&wrong), None, "{at}");
            } else {
                assert_eq!(rows(&wrong, 3).0.len(), usize::from(at >= one_row), "{at}");
            }
        }
    }
}
