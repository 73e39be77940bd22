"""The REST API: parse, call a use case, serialise."""
