-- The gate server that a coupon's state is trusted on; '' while it was never opened, or opened by an earlier version.
ALTER TABLE coupon ADD COLUMN gate TEXT NOT NULL DEFAULT '';
