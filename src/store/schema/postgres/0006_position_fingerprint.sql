-- What the record before the position was: it tells a topic that was made anew under its old name.
ALTER TABLE log_position ADD COLUMN fingerprint text COLLATE "C" NOT NULL DEFAULT '';

CREATE FUNCTION move_log_positions(the_group text, the_topic text, partitions integer[], expected bigint[], following bigint[], fingerprints text[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. cardinality(partitions) LOOP
    UPDATE log_position SET next_offset = following[i], fingerprint = fingerprints[i]
    WHERE consumer_group = the_group AND topic = the_topic AND partition = partitions[i] AND next_offset = expected[i];
    CONTINUE WHEN FOUND;
    IF expected[i] = 0 THEN
      INSERT INTO log_position (consumer_group, topic, partition, next_offset, fingerprint)
      VALUES (the_group, the_topic, partitions[i], following[i], fingerprints[i])
      ON CONFLICT (consumer_group, topic, partition) DO NOTHING;
      CONTINUE WHEN FOUND;
    END IF;
    RAISE EXCEPTION 'partition % of % is no longer at offset %', partitions[i], the_topic, expected[i]
      USING ERRCODE = 'SC001';
  END LOOP;
END
$$;

-- For programs that do not know the column: what they move has no fingerprint.
CREATE OR REPLACE FUNCTION move_log_positions(the_group text, the_topic text, partitions integer[], expected bigint[], following bigint[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM move_log_positions(the_group, the_topic, partitions, expected, following,
                             array_fill(''::text, ARRAY[cardinality(partitions)]));
END
$$;
