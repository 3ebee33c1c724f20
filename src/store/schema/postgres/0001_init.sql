-- Ids compare byte by byte (COLLATE "C"): cheaper than a language's rules, and the same order everywhere.
CREATE TABLE schema_migration (
  version integer PRIMARY KEY,
  applied_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE coupon (
  id text COLLATE "C" PRIMARY KEY,
  name text NOT NULL,
  stock bigint NOT NULL CONSTRAINT coupon_stock CHECK (stock BETWEEN 1 AND 10000000),
  opens_at timestamptz,
  closes_at timestamptz,
  status text NOT NULL DEFAULT 'active' CONSTRAINT coupon_status CHECK (status IN ('active', 'closed')),
  ack text NOT NULL CONSTRAINT coupon_ack CHECK (ack IN ('gate', 'log', 'store')),
  epoch bigint NOT NULL DEFAULT 0,
  revision bigint NOT NULL CONSTRAINT coupon_revision UNIQUE,
  created_at timestamptz NOT NULL
);

-- No foreign key to coupon: it would cost a lookup and a lock for every row. The consumer knows its coupons.
-- The primary key comes before user_coupon_sequence: a row saved twice must be found by the key first.
CREATE TABLE user_coupon (
  coupon_id text COLLATE "C" NOT NULL,
  sequence bigint NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  issued_at timestamptz NOT NULL,
  status text NOT NULL DEFAULT 'issued' CONSTRAINT user_coupon_status CHECK (status IN ('issued', 'redeemed')),
  epoch bigint NOT NULL,
  saved_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (coupon_id, user_id),
  CONSTRAINT user_coupon_sequence UNIQUE (coupon_id, sequence)
);

CREATE INDEX user_coupon_user ON user_coupon (user_id);

CREATE TABLE log_position (
  consumer_group text COLLATE "C" NOT NULL,
  topic text COLLATE "C" NOT NULL,
  partition integer NOT NULL,
  next_offset bigint NOT NULL,
  PRIMARY KEY (consumer_group, topic, partition)
);

-- Moves positions from what the caller expects, or fails with SQLSTATE SC001 when another member was faster.
-- A function, so that the move and the rows that follow it travel in one round trip.
CREATE FUNCTION move_log_positions(the_group text, the_topic text, partitions integer[], expected bigint[], following bigint[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. cardinality(partitions) LOOP
    UPDATE log_position SET next_offset = following[i]
    WHERE consumer_group = the_group AND topic = the_topic AND partition = partitions[i] AND next_offset = expected[i];
    CONTINUE WHEN FOUND;
    IF expected[i] = 0 THEN
      INSERT INTO log_position (consumer_group, topic, partition, next_offset)
      VALUES (the_group, the_topic, partitions[i], following[i])
      ON CONFLICT (consumer_group, topic, partition) DO NOTHING;
      CONTINUE WHEN FOUND;
    END IF;
    RAISE EXCEPTION 'partition % of % is no longer at offset %', partitions[i], the_topic, expected[i]
      USING ERRCODE = 'SC001';
  END LOOP;
END
$$;
