"""One media stream: set up, carried, and what breaks its protocol."""
