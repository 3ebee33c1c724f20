package peer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.springframework.context.event.EventListener;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.scheduling.annotation.Async;
import org.springframework.stereotype.Component;

/** From a coupon that was issued to its row: published after the answer, saved as it comes. */
@Component
public class CouponEvents {
  private static final String TOPIC = "spring-coupon-issue";

  private final KafkaTemplate<String, String> kafka;
  private final ObjectMapper json;
  private final CouponService service;

  public CouponEvents(KafkaTemplate<String, String> kafka, ObjectMapper json, CouponService service) {
    this.kafka = kafka;
    this.json = json;
    this.service = service;
  }

  @Async
  @EventListener
  public void publish(CouponCommand command) throws JsonProcessingException {
    kafka.send(TOPIC, json.writeValueAsString(command));
  }

  @KafkaListener(topics = TOPIC, groupId = "coupon")
  public void save(String message) throws JsonProcessingException {
    service.save(json.readValue(message, CouponCommand.class));
  }
}
