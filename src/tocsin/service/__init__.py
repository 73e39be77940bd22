"""Use cases, one module each: the only code that changes what Tocsin knows."""
