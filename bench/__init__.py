"""Everything `./dev bench` runs: the server beside what people would use instead, measured in turns."""
