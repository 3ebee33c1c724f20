package peer;

import jakarta.persistence.Column;
import jakarta.persistence.Entity;
import jakarta.persistence.GeneratedValue;
import jakarta.persistence.GenerationType;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import jakarta.persistence.UniqueConstraint;
import java.time.Instant;

@Entity
@Table(
    name = "spring_user_coupon",
    uniqueConstraints = @UniqueConstraint(columnNames = {"coupon_id", "user_id"}))
public class UserCoupon {
  @Id
  @GeneratedValue(strategy = GenerationType.SEQUENCE)
  private Long id;

  @Column(name = "coupon_id", nullable = false)
  private String couponId;

  @Column(name = "user_id", nullable = false)
  private long userId;

  @Column(name = "issued_at", nullable = false)
  private Instant issuedAt;

  protected UserCoupon() {}

  public UserCoupon(String couponId, long userId) {
    this.couponId = couponId;
    this.userId = userId;
    this.issuedAt = Instant.now();
  }
}
