#include "events/message.hpp"

#include "core/model/coupon.hpp"
#include "fuzz.hpp"

using namespace seonchak;

/// The event id up to the first line break, then the value. What is read as an event survives being written
/// again.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::text_of(data, size);
  const auto line_end = input.find('\n');
  RawMessage raw;
  raw.timestamp = from_millis(1'795'316'400'000);
  raw.event_id = [&] { return input.substr(0, line_end); };
  if (line_end != std::string_view::npos) raw.value = input.substr(line_end + 1);
  const Message message = decode_message(raw);
  if (raw.value && raw.value->size() < value_bytes_max) {
    const std::string spaced = " " + std::string(*raw.value);  // not as we write it, and the same JSON
    fuzz::require(decode_message({spaced, raw.event_id, raw.timestamp}) == message);
  }
  if (const auto* bare = std::get_if<BareRequest>(&message)) {
    fuzz::require(valid_coupon_id(bare->coupon_id) && valid_user_id(bare->user_id));
  }
  if (const auto* event = std::get_if<IssuedEvent>(&message)) {
    fuzz::require(valid_coupon_id(event->coupon_id) && valid_user_id(event->user_id) && event->sequence > 0);
    MessageEncoder encoder;
    const auto encoded = encoder.encode(*event);
    const Message again = decode_message({encoded.value, {}, raw.timestamp});
    fuzz::require(std::get<IssuedEvent>(again) == *event);
  }
  return 0;
}
