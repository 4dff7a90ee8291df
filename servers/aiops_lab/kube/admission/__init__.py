"""What happens to an object before it is stored: shapes, defaults, validation."""
