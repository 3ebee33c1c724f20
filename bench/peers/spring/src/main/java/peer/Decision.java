package peer;

public enum Decision {
  ISSUED,
  ALREADY_ISSUED,
  SOLD_OUT
}
