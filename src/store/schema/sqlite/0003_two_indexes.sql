-- Two trees instead of three: the rows in the order in which they come, and the key of a user's coupon turned round, so
-- that it also finds all of a user.
CREATE TABLE user_coupon_by_sequence (
  coupon_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  user_id TEXT NOT NULL,
  issued_at INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'issued' CONSTRAINT user_coupon_status CHECK (status IN ('issued', 'redeemed')),
  epoch INTEGER NOT NULL,
  saved_at INTEGER NOT NULL,
  PRIMARY KEY (coupon_id, sequence),
  CONSTRAINT user_coupon_user UNIQUE (user_id, coupon_id)
) STRICT, WITHOUT ROWID;

INSERT INTO user_coupon_by_sequence SELECT * FROM user_coupon ORDER BY coupon_id, sequence;
DROP TABLE user_coupon;
ALTER TABLE user_coupon_by_sequence RENAME TO user_coupon;
