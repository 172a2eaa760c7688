"""What is done to pictures before they are coded: effects, and fitting them to others."""
