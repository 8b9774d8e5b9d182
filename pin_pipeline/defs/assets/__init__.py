"""Asset definitions, one module per layer, in the order of the data flow."""
