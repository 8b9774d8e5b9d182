"""HTTP routes of the gateway, one module per resource, with their request and response models."""
