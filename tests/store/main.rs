//! Every function of the store, on both databases. `REVEILLE_TEST_POSTGRES` names a PostgreSQL server whose user may create databases.

#[macro_use]
mod db;

mod archive;
mod desk;
mod follower;
mod journal;
mod life;
mod machine;
mod order;
mod paging;
mod silences;
mod small;
mod upgrade;
mod views;
