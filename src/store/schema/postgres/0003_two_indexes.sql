-- Two indexes instead of three: the key of a user's coupon, turned round, also finds all of a user. The other one grows
-- at its end only. user_coupon_user is made first and so comes first: a row saved twice must be found by it.
ALTER TABLE user_coupon DROP CONSTRAINT user_coupon_pkey, DROP CONSTRAINT user_coupon_sequence;
DROP INDEX user_coupon_user;
ALTER TABLE user_coupon ADD CONSTRAINT user_coupon_user UNIQUE (user_id, coupon_id);
ALTER TABLE user_coupon ADD CONSTRAINT user_coupon_sequence PRIMARY KEY (coupon_id, sequence);
