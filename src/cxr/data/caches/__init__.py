"""What is kept between commands: decoded images, and what images turned out to be."""
