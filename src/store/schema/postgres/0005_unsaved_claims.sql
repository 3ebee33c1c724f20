-- oldest_program: the oldest version that a program must know to use a database with this one.
ALTER TABLE schema_migration ADD COLUMN oldest_program integer;
UPDATE schema_migration SET oldest_program = version;
ALTER TABLE schema_migration ALTER COLUMN oldest_program SET NOT NULL;

-- Who may do what only one process may do. A holder that goes silent is relieved: its token is not the row's any more.
CREATE TABLE lease (
  name text COLLATE "C" PRIMARY KEY,
  token bigint NOT NULL,
  beat bigint NOT NULL,
  holder text NOT NULL
);

-- Issued events of an epoch before their coupon's, until recovery has decided them.
CREATE TABLE late_claim (
  coupon_id text COLLATE "C" NOT NULL,
  sequence bigint NOT NULL,
  claim_epoch bigint NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  issued_at timestamptz NOT NULL,
  PRIMARY KEY (coupon_id, sequence, claim_epoch, user_id)
);

-- Processes that have announced testimony and are not at its end.
CREATE TABLE recording (
  coupon_id text COLLATE "C" NOT NULL,
  epoch bigint NOT NULL,
  process text COLLATE "C" NOT NULL,
  pieces bigint NOT NULL,
  PRIMARY KEY (coupon_id, epoch, process)
);
