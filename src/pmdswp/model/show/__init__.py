"""What was played, for people and for programs."""
