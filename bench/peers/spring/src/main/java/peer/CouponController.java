package peer;

import org.springframework.http.HttpStatus;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

@RestController
public class CouponController {
  public record Result(String result, String couponId, long userId) {}

  private final CouponService service;

  public CouponController(CouponService service) {
    this.service = service;
  }

  @PostMapping("/coupons/{id}/issue")
  public ResponseEntity<Result> issue(@PathVariable String id, @RequestParam long userId) {
    return switch (service.issue(new CouponCommand(id, userId))) {
      case ISSUED -> answer(HttpStatus.CREATED, "issued", id, userId);
      case ALREADY_ISSUED -> answer(HttpStatus.OK, "already_issued", id, userId);
      case SOLD_OUT -> answer(HttpStatus.CONFLICT, "sold_out", id, userId);
    };
  }

  @PostMapping("/coupons/{id}")
  public void create(@PathVariable String id, @RequestParam long stock) {
    service.create(id, stock);
  }

  /** How many rows the database has. */
  @GetMapping("/coupons/{id}/saved")
  public long saved(@PathVariable String id) {
    return service.saved(id);
  }

  private static ResponseEntity<Result> answer(HttpStatus status, String result, String id, long userId) {
    return ResponseEntity.status(status).body(new Result(result, id, userId));
  }
}
