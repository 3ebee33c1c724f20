-- The gate server that a coupon's state is trusted on; '' while it was never opened, or opened by an earlier version.
ALTER TABLE coupon ADD COLUMN gate text NOT NULL DEFAULT '';

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
