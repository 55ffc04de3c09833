"""Events since the last closed day: taken in, durable, and known to the next answer."""
