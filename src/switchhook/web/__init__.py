"""What every page and API is made of: rendering, parameters, OpenAPI, JSON, masking."""

# It registers what numbers in paths are written with.
from switchhook.web import path_numbers as path_numbers
