-- The highest numeric id, which numbers a coupon that comes without one.
CREATE INDEX coupon_number ON coupon ((id::bigint)) WHERE id ~ '^[0-9]{1,18}$';
