-- The state database, schema 6. A change here is a new schema: raise State::kSchemaVersion and add the step from the
-- one before to kMigrations in state_database.cc.

-- One row. `generation` is another random number after every write: numbers that count could meet again in a database
-- that was restored, repaired or imported.
CREATE TABLE state (generation INTEGER NOT NULL) STRICT;
INSERT INTO state VALUES (abs(random() / 2));

-- What manifests say, each once however many records and runs have it: they are large and seldom read.
CREATE TABLE manifests (
  digest BLOB NOT NULL PRIMARY KEY,  -- XXH3-128 of the encoded manifest
  size   INTEGER NOT NULL,           -- of the encoded manifest
  bytes  BLOB NOT NULL               -- the encoded manifest, compressed with zstd
) STRICT;

CREATE TABLE records (
  label       TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  manifest    BLOB NOT NULL,  -- manifests.digest
  artifacts   TEXT NOT NULL,  -- JSON
  when_ns     INTEGER NOT NULL,
  version     TEXT NOT NULL,
  run         TEXT NOT NULL,
  PRIMARY KEY (label, fingerprint)
) STRICT, WITHOUT ROWID;

-- The record that is a label's result now.
CREATE TABLE last (
  label       TEXT NOT NULL PRIMARY KEY,
  fingerprint BLOB NOT NULL,
  newest_run  TEXT NOT NULL DEFAULT '',  -- runs.id: of the label when this became its result; '' is none
  asked       TEXT NOT NULL DEFAULT ''   -- runs.id: of all when this was asked for; '' is none
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
  id              TEXT NOT NULL PRIMARY KEY,
  label           TEXT NOT NULL,
  fingerprint     BLOB NOT NULL,
  attempt         INTEGER NOT NULL,
  status          TEXT NOT NULL,
  platform        TEXT NOT NULL,
  key             TEXT NOT NULL,
  job             TEXT NOT NULL,
  created_ns      INTEGER NOT NULL,
  started_ns      INTEGER NOT NULL,
  ended_ns        INTEGER NOT NULL,
  exit_code       INTEGER,
  reason          TEXT NOT NULL,
  reusable        INTEGER NOT NULL,
  params_json     TEXT NOT NULL,
  provenance_json TEXT NOT NULL,
  manifest        BLOB NOT NULL,  -- manifests.digest
  repeats         TEXT NOT NULL DEFAULT '',  -- runs.id
  number          INTEGER NOT NULL DEFAULT 0  -- grows in the order in which runs were remembered first
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_of ON runs (label, fingerprint);
-- Which was the last one is no matter of clocks, which are set back at times.
CREATE INDEX runs_by_number ON runs (number);
-- What is in flight is found without a look at what is over.
CREATE INDEX runs_by_status ON runs (status);

CREATE TABLE run_metrics (
  run   TEXT NOT NULL,
  name  TEXT NOT NULL,
  value REAL,  -- NULL is not a number
  PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

-- How a metric went: some hundred points at most.
CREATE TABLE run_curves (
  run    TEXT NOT NULL,
  name   TEXT NOT NULL,
  points TEXT NOT NULL,  -- JSON: [[step, value], ...]; the value of what is not a number is null
  PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_outputs (
  run      TEXT NOT NULL,
  position INTEGER NOT NULL,
  name     TEXT NOT NULL,
  path     TEXT NOT NULL,
  bytes    INTEGER NOT NULL,
  sha256   TEXT NOT NULL,
  PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;
