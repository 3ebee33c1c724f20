package peer;

/** A user who asks for a coupon, and the event of one who got it. */
public record CouponCommand(String couponId, long userId) {}
