-- oldest_program: the oldest version that a program must know to use a database with this one.
ALTER TABLE schema_migration ADD COLUMN oldest_program INTEGER NOT NULL DEFAULT 0;
UPDATE schema_migration SET oldest_program = version;

-- Issued events of an epoch before their coupon's, until recovery has decided them.
CREATE TABLE late_claim (
  coupon_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  claim_epoch INTEGER NOT NULL,
  user_id TEXT NOT NULL,
  issued_at INTEGER NOT NULL,
  PRIMARY KEY (coupon_id, sequence, claim_epoch, user_id)
) STRICT, WITHOUT ROWID;

-- Processes that have announced testimony and are not at its end.
CREATE TABLE recording (
  coupon_id TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  process TEXT NOT NULL,
  pieces INTEGER NOT NULL,
  PRIMARY KEY (coupon_id, epoch, process)
) STRICT, WITHOUT ROWID;
