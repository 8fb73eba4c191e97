"""What Exotel says and is asked: values, wire formats in both directions, its API client."""
