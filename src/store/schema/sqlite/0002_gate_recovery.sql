-- settled: the epoch whose gate was opened last; 0 before the first. gate: the server that it is trusted on.
ALTER TABLE coupon ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE coupon ADD COLUMN gate TEXT NOT NULL DEFAULT '';
UPDATE coupon SET settled = epoch;

-- What processes remember of coupons under recovery: claims that a gate has answered in claim_epoch.
CREATE TABLE testimony (
  coupon_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  issued_at INTEGER NOT NULL,
  claim_epoch INTEGER NOT NULL,
  PRIMARY KEY (coupon_id, user_id, sequence, claim_epoch)
) STRICT, WITHOUT ROWID;
