"""The asset graph, a module a layer, in the order the data flows."""
