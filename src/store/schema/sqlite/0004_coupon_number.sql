-- The highest numeric id, which numbers a coupon that comes without one.
CREATE INDEX coupon_number ON coupon (CAST(id AS INTEGER)) WHERE id NOT GLOB '*[^0-9]*' AND length(id) <= 18;
