"""What every page and API is made of: rendering, parameters, OpenAPI, JSON, masking."""
