-- The number that the files of the journal carry beside this database: others are not its own. One row.
CREATE TABLE journal_home (home BIGINT PRIMARY KEY);
-- Which rows of those files are folded. They are forgotten with their file.
CREATE TABLE journal_folded (
    file BIGINT NOT NULL,
    id   TEXT NOT NULL,
    PRIMARY KEY (file, id)
);
