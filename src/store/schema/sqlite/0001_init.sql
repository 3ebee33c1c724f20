-- Times are milliseconds since 1970-01-01T00:00:00Z.
CREATE TABLE schema_migration (
  version INTEGER PRIMARY KEY,
  applied_at INTEGER NOT NULL
) STRICT;

CREATE TABLE coupon (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  stock INTEGER NOT NULL CONSTRAINT coupon_stock CHECK (stock BETWEEN 1 AND 10000000),
  opens_at INTEGER,
  closes_at INTEGER,
  status TEXT NOT NULL DEFAULT 'active' CONSTRAINT coupon_status CHECK (status IN ('active', 'closed')),
  ack TEXT NOT NULL CONSTRAINT coupon_ack CHECK (ack IN ('gate', 'log', 'store')),
  epoch INTEGER NOT NULL DEFAULT 0,
  revision INTEGER NOT NULL CONSTRAINT coupon_revision UNIQUE,
  created_at INTEGER NOT NULL
) STRICT;

-- No foreign key to coupon: it would cost a lookup for every row. The consumer knows its coupons.
CREATE TABLE user_coupon (
  coupon_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  user_id TEXT NOT NULL,
  issued_at INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'issued' CONSTRAINT user_coupon_status CHECK (status IN ('issued', 'redeemed')),
  epoch INTEGER NOT NULL,
  saved_at INTEGER NOT NULL,
  PRIMARY KEY (coupon_id, user_id),
  CONSTRAINT user_coupon_sequence UNIQUE (coupon_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE INDEX user_coupon_user ON user_coupon (user_id);

CREATE TABLE log_position (
  consumer_group TEXT NOT NULL,
  topic TEXT NOT NULL,
  partition INTEGER NOT NULL,
  next_offset INTEGER NOT NULL,
  PRIMARY KEY (consumer_group, topic, partition)
) STRICT, WITHOUT ROWID;
