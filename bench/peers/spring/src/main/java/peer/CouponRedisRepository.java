package peer;

import java.util.List;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.data.redis.core.script.RedisScript;
import org.springframework.stereotype.Repository;

/** Stock and holders of a coupon; one script decides, and Lettuce pipelines what many threads ask at once. */
@Repository
public class CouponRedisRepository {
  private static final RedisScript<Long> ISSUE =
      RedisScript.of(
          """
          if redis.call('sismember', KEYS[2], ARGV[1]) == 1 then return 1 end
          if redis.call('scard', KEYS[2]) >= tonumber(redis.call('get', KEYS[1]) or '0') then return 2 end
          redis.call('sadd', KEYS[2], ARGV[1])
          return 0
          """,
          Long.class);

  private final StringRedisTemplate redis;

  public CouponRedisRepository(StringRedisTemplate redis) {
    this.redis = redis;
  }

  public Decision issue(CouponCommand command) {
    Long code = redis.execute(ISSUE, keys(command.couponId()), Long.toString(command.userId()));
    return Decision.values()[code.intValue()];
  }

  public void create(String id, long stock) {
    redis.opsForValue().set(keys(id).get(0), Long.toString(stock));
  }

  private static List<String> keys(String id) {
    return List.of("{spring:" + id + "}:stock", "{spring:" + id + "}:holders");
  }
}
