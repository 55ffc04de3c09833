"""What is kept, for how long, and in how few files."""
