-- settled: the epoch whose gate was opened last; 0 before the first. gate: the server that it is trusted on.
ALTER TABLE coupon
  ADD COLUMN settled bigint NOT NULL DEFAULT 0,
  ADD COLUMN gate text NOT NULL DEFAULT '';
UPDATE coupon SET settled = epoch;

-- What processes remember of coupons under recovery: claims that a gate has answered in claim_epoch.
CREATE TABLE testimony (
  coupon_id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  sequence bigint NOT NULL,
  issued_at timestamptz NOT NULL,
  claim_epoch bigint NOT NULL,
  PRIMARY KEY (coupon_id, user_id, sequence, claim_epoch)
);

-- Fails with SQLSTATE SC002 unless every coupon is in the epoch the caller expects. The share lock keeps a recovery from
-- raising the epoch until the caller's rows are committed, so that it sees them.
CREATE FUNCTION check_coupon_epochs(ids text[], epochs bigint[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  matching bigint;
BEGIN
  PERFORM 1 FROM coupon WHERE id = ANY (ids) ORDER BY id FOR SHARE;
  SELECT count(*) INTO matching
  FROM unnest(ids, epochs) AS expected (id, epoch) JOIN coupon ON coupon.id = expected.id AND coupon.epoch = expected.epoch;
  IF matching < cardinality(ids) THEN
    RAISE EXCEPTION 'a coupon is in another epoch' USING ERRCODE = 'SC002';
  END IF;
END
$$;

-- The same for a coupon that must be under recovery.
CREATE FUNCTION check_coupon_unsettled(the_id text, the_epoch bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM coupon WHERE id = the_id AND epoch = the_epoch AND settled <> epoch FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'coupon % is not being recovered in epoch %', the_id, the_epoch USING ERRCODE = 'SC002';
  END IF;
END
$$;
