"""What people may know and decide about their data, and what is written down about those who look at it."""
