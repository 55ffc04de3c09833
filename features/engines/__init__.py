"""What differs between the engines: how each is started, reads and keeps tables, and hands out rows."""
