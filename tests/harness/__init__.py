"""Real servers, the real program and a fast client, for the tests that need processes."""
