//! The journal in its files: whatever happens to the process and its disk, what was told to be safe is taken once, in its turn.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use reveille::base::id::JournalId;
use reveille::base::time::Time;
use reveille::flows::backup;
use reveille::store::{
    Filed, JournalRow, Store, StoreOptions, WriteLane, journal_add, journal_append, journal_delete, journal_last_turn, journal_pending,
    journal_take, journal_turns, journal_waits,
};
use tempfile::TempDir;

use crate::db::at;

#[derive(Debug, Clone)]
enum Act {
    /// So many rows of about so many bytes, each a turn of its own; the batch becomes durable as one.
    Append(Vec<(i64, usize)>),
    /// A row in a transaction of somebody else's.
    Add(i64),
    /// At most so many rows are folded, or the transaction is given up.
    Fold { most: i64, is_committed: bool },
    /// The machine stops, with so many bytes of a batch on the disk that nobody was told of.
    Crash { torn: usize },
    /// A stop in good order.
    Stop,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    // The largest needs a file of its own; many need several.
    let row = (0..6_i64, prop_oneof![3 => 1..2_000_usize, 2 => 200_000..500_000_usize, 1 => 1_100_000..1_500_000_usize]);
    let act = prop_oneof![
        6 => proptest::collection::vec(row, 1..6).prop_map(Act::Append),
        1 => (0..6_i64).prop_map(Act::Add),
        6 => (1..9_i64, prop::bool::weighted(0.8)).prop_map(|(most, is_committed)| Act::Fold { most, is_committed }),
        2 => (0..400_usize).prop_map(|torn| Act::Crash { torn }),
        1 => Just(Act::Stop),
    ];
    proptest::collection::vec(act, 1..24)
}

/// A server's database on a disk that survives it.
struct House {
    disk: TempDir,
    store: Store,
    /// What waits, in the order in which it is to be folded.
    waits: BTreeMap<(i64, JournalId), Filed>,
    made: i64,
}

fn database(disk: &Path) -> PathBuf {
    disk.join("pages.db")
}

async fn open(disk: &Path) -> Store {
    let store = Store::open_exclusive(&database(disk).display().to_string(), StoreOptions::default()).await.expect("it opens");
    store.migrate().await.expect("the tables are made");
    store
}

fn journal_files(disk: &Path) -> Vec<PathBuf> {
    let there = std::fs::read_dir(disk).expect("a folder").map(|entry| entry.expect("a file").path());
    let mut files: Vec<PathBuf> = there.filter(|path| path.display().to_string().contains(".db.journal-")).collect();
    files.sort();
    files
}

impl House {
    async fn new() -> Self {
        let disk = tempfile::tempdir().expect("a folder");
        let store = open(disk.path()).await;
        Self { disk, store, waits: BTreeMap::new(), made: 0 }
    }

    fn row(&mut self, turn: i64, bytes: usize) -> Filed {
        self.made += 1;
        // Ids grow, as the intake's do.
        let id = JournalId::from_text(format!("jrn_{:09}", self.made));
        let integration = Some(["quick", "slow"][usize::from(turn % 2 == 0)].into());
        Filed { row: JournalRow { id, at: at(self.made), signals: 1 + turn, body: "x".repeat(bytes) }, integration, turn }
    }

    fn wait(&mut self, filed: &Filed) {
        self.waits.insert((filed.turn, filed.row.id.clone()), filed.clone());
    }

    async fn act(&mut self, act: &Act) {
        match act {
            Act::Append(rows) => {
                let rows: Vec<Filed> = rows.iter().map(|(turn, bytes)| self.row(*turn, *bytes)).collect();
                for filed in &rows {
                    self.wait(filed);
                }
                journal_append(&self.store, rows).await.expect("it is durable");
            }
            Act::Add(turn) => {
                let filed = self.row(*turn, 10);
                let mut tx = self.store.begin(WriteLane::Rest).await.expect("it begins");
                journal_add(&mut tx, &filed).await.expect("it is written");
                tx.commit().await.expect("it commits");
                self.wait(&filed);
            }
            Act::Fold { most, is_committed } => self.fold(*most, *is_committed).await,
            Act::Crash { torn } => self.crash(*torn).await,
            Act::Stop => {
                self.store.close().await;
                let disk = std::mem::replace(&mut self.disk, tempfile::tempdir().expect("a folder"));
                self.begin_again(disk.path()).await;
            }
        }
    }

    async fn fold(&mut self, most: i64, is_committed: bool) {
        let mut tx = self.store.begin(WriteLane::Intake).await.expect("it begins");
        let taken = journal_take(&mut tx, most, i64::MAX).await.expect("it takes");
        let wanted: Vec<_> = self.waits.values().take(usize::try_from(most).expect("few")).map(|filed| filed.row.clone()).collect();
        assert!(taken == wanted, "{:?} came, and not {:?}", ids(&taken), ids(&wanted));
        let ids: Vec<JournalId> = taken.into_iter().map(|row| row.id).collect();
        journal_delete(&mut tx, &ids).await.expect("it deletes");
        if is_committed {
            tx.commit().await.expect("it commits");
            self.waits.retain(|(_, id), _| !ids.contains(id));
        } else {
            tx.rollback().await.expect("it is given up");
        }
    }

    /// What lies on the disk now is found by the next process, and half of what was about to be written.
    async fn crash(&mut self, torn: usize) {
        let image = tempfile::tempdir().expect("a folder");
        for entry in std::fs::read_dir(self.disk.path()).expect("a folder") {
            let from = entry.expect("a file").path();
            match std::fs::copy(&from, image.path().join(from.file_name().expect("a name"))) {
                Ok(_) => {}
                // A file of the journal that is done with was taken away meanwhile.
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}"),
            }
        }
        if let Some(last) = journal_files(image.path()).last() {
            let mut bytes = std::fs::read(last).expect("it reads");
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            // A length of a row, a check, and no row that fits it.
            let half = [&77_u32.to_le_bytes()[..], &[9; 396]].concat();
            let torn = torn.min(bytes.len() - end);
            bytes[end..end + torn].copy_from_slice(&half[..torn]);
            std::fs::write(last, bytes).expect("it is written");
        }
        self.begin_again(image.path()).await;
    }

    async fn begin_again(&mut self, from: &Path) {
        let disk = tempfile::tempdir().expect("a folder");
        for entry in std::fs::read_dir(from).expect("a folder") {
            let from = entry.expect("a file").path();
            std::fs::copy(&from, disk.path().join(from.file_name().expect("a name"))).expect("it is copied");
        }
        self.store.close().await;
        self.store = open(disk.path()).await;
        self.disk = disk;
    }

    async fn holds(&self) {
        let reader = self.store.reader();
        let waiting = i64::try_from(self.waits.len()).expect("few");
        assert_eq!(journal_pending(&reader).await.expect("it counts"), waiting);
        assert_eq!(journal_waits(&reader).await.expect("it answers"), waiting > 0);
        let gauges = reader.gauges(Time(0)).await.expect("the gauges read");
        let oldest = self.waits.values().map(|filed| filed.row.at).min();
        assert_eq!((gauges.journal.rows, gauges.journal.oldest), (waiting, oldest));
        // Whoever looks from beside sees the same.
        let url = database(self.disk.path()).display().to_string();
        let beside = Store::open(&url, StoreOptions::default()).await.expect("it opens beside");
        assert_eq!(journal_pending(&beside.reader()).await.expect("it counts"), waiting);
        beside.close().await;
        for (integration, first, last) in journal_turns(&reader).await.expect("the turns read") {
            let turns = || self.waits.values().filter(|filed| filed.integration.as_ref() == Some(&integration)).map(|filed| filed.turn);
            assert_eq!((Some(first), Some(last)), (turns().min(), turns().max()), "{integration}");
            let mut tx = self.store.begin(WriteLane::Rest).await.expect("it begins");
            assert_eq!(journal_last_turn(&mut tx, &integration).await.expect("it answers"), last);
        }
    }
}

fn ids(rows: &[JournalRow]) -> Vec<(&str, usize)> {
    rows.iter().map(|row| (row.id.as_str(), row.body.len())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_is_safe_is_taken_once_in_its_turn(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut house = House::new().await;
            for act in &acts {
                house.act(act).await;
                house.holds().await;
            }
            // In the end everything is folded, and a stop leaves no file behind.
            house.act(&Act::Fold { most: 1_000, is_committed: true }).await;
            house.holds().await;
            house.store.close().await;
            assert_eq!(journal_files(house.disk.path()), [] as [PathBuf; 0]);
        });
    }
}

/// A file that is done with is taken away, and nothing of it is remembered then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_come_and_go() {
    let mut house = House::new().await;
    for _ in 0..12 {
        house.act(&Act::Append(vec![(1, 400_000)])).await;
    }
    assert!(journal_files(house.disk.path()).len() >= 6, "two rows fit into a file");
    house.act(&Act::Fold { most: 11, is_committed: true }).await;
    crate::db::until("what is folded is gone", async || journal_files(house.disk.path()).len() <= 2).await;
    // It is forgotten in the next transactions that fold something.
    let mut remembered = usize::MAX;
    for _ in 0..1_000 {
        house.act(&Act::Append(vec![(1, 1)])).await;
        house.act(&Act::Fold { most: 1, is_committed: true }).await;
        remembered = house.remembered().await.iter().filter(|id| id.as_str() < "jrn_000000011").count();
        if remembered == 0 {
            break;
        }
    }
    assert_eq!(remembered, 0);
    house.holds().await;
}

/// A database that was put in another's place does not fold what was sent to that one; what lies there is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_databases_files_are_left_alone() {
    let mut house = House::new().await;
    house.act(&Act::Append(vec![(1, 100)])).await;
    let other = House::new().await;
    other.store.close().await;
    for file in journal_files(house.disk.path()) {
        std::fs::copy(&file, other.disk.path().join(file.file_name().expect("a name"))).expect("it is copied");
    }
    let store = open(other.disk.path()).await;
    assert_eq!(journal_pending(&store.reader()).await.expect("it counts"), 0);
    let kept = journal_files(other.disk.path());
    assert!(matches!(kept.as_slice(), [one] if one.display().to_string().contains(".of-")), "{kept:?}");
    store.close().await;
}

/// Whether it waits in a file or in the table, it is in a backup, once; and what was restored knows nothing of older files.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_holds_what_waits() {
    let mut house = House::new().await;
    for act in [Act::Append(vec![(1, 10), (2, 10), (3, 10)]), Act::Add(4), Act::Fold { most: 1, is_committed: true }] {
        house.act(&act).await;
    }
    let mut file = Vec::new();
    let told = backup::write(&house.store, at(0), &mut file).await.expect("it is written");
    assert_eq!(backup::check(file.as_slice()).expect("it is whole"), told);

    let mut other = House::new().await;
    other.act(&Act::Append(vec![(1, 10)])).await;
    backup::restore(&other.store, file.as_slice(), true).await.expect("it is restored");
    other.store.close().await;
    other.store = open(other.disk.path()).await;
    other.waits = house.waits.clone();
    other.holds().await;
    other.act(&Act::Fold { most: 10, is_committed: true }).await;
    other.holds().await;
}

impl House {
    /// The rows that the database remembers as folded.
    async fn remembered(&self) -> Vec<String> {
        use sqlx::{AnyConnection, Connection as _, Row as _};
        let mut own = AnyConnection::connect(&format!("sqlite://{}", database(self.disk.path()).display())).await.expect("it opens");
        let rows = sqlx::query("SELECT id FROM journal_folded").fetch_all(&mut own).await.expect("it reads");
        rows.iter().map(|row| row.get("id")).collect()
    }
}
