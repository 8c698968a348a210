"""What the program knows, without doing anything: no await, no clock, no I/O."""
