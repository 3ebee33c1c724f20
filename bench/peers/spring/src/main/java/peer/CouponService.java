package peer;

import org.springframework.context.ApplicationEventPublisher;
import org.springframework.stereotype.Service;

@Service
public class CouponService {
  private final CouponRedisRepository redis;
  private final UserCouponRepository rows;
  private final ApplicationEventPublisher publisher;

  public CouponService(
      CouponRedisRepository redis, UserCouponRepository rows, ApplicationEventPublisher publisher) {
    this.redis = redis;
    this.rows = rows;
    this.publisher = publisher;
  }

  public Decision issue(CouponCommand command) {
    Decision decision = redis.issue(command);
    if (decision == Decision.ISSUED) {
      publisher.publishEvent(command);
    }
    return decision;
  }

  /** The consumer's half: one row, one transaction. */
  public void save(CouponCommand command) {
    rows.save(new UserCoupon(command.couponId(), command.userId()));
  }

  public void create(String id, long stock) {
    redis.create(id, stock);
  }

  public long saved(String id) {
    return rows.countByCouponId(id);
  }
}
